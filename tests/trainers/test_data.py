"""Samples: windows are Megatron's, packs are full and cross nothing, blends keep their shares, all from Arrow shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from schemas.errors import WrongCall
from tokenization.packing import best_fit
from tokenization.shards import GRADES, coded, in_batches, shard_schema, write_shard
from trainers.data.arrow_tokens import ArrowTokens
from trainers.data.blending import PlannedPhase, make_blend
from trainers.data.epochs import EpochWindows
from trainers.data.packs import Packs, pack
from trainers.data.windows import EndOfText, Windows, WindowSettings
from trainers.parallel.context import own_positions, whole_order


def shards(folder: Path, rows: list[list[int]], files: int = 2, learned: int | None = None) -> ArrowTokens:
    """Rows in some shards; with `learned`, conversations whose last tokens are the answer."""
    schema = shard_schema("conversations" if learned is not None else "documents")
    paths = []
    for number in range(files):
        mine = rows[number::files]
        count = len(mine)
        columns = {
            "doc_id": [f"{number}-{i}" for i in range(count)],
            "input_ids": mine,
            "source": coded(pa.array([0] * count, pa.int16()), ["books"], pa.int16()),
            "authority": coded(pa.array([i % 6 for i in range(count)], pa.int8()), GRADES, pa.int8()),
            "partition": [0] * count,
        }
        if learned is not None:
            columns["turns"] = [[0] * (len(row) - learned) + [1] * learned for row in mine]
        path = folder / f"{number}.arrow"
        write_shard(path, in_batches(pa.table({name: columns[name] for name in schema.names}).cast(schema)), schema)
        paths.append(path)
    return ArrowTokens.open(f"{paths[0].parent}/mix/part/train", paths)


def test_windows_are_those_of_megatron(tmp_path: Path) -> None:
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.utils import Split

    stream = np.random.default_rng(1)
    tokens = shards(tmp_path, [stream.integers(0, 99, n).tolist() for n in stream.integers(1, 90, 60)])
    end = EndOfText(0, 100)
    windows = Windows(tokens, WindowSettings(32, 7, end, tmp_path / "cache"), 300, "authority", 10)
    config = GPTDatasetConfig(random_seed=7, sequence_length=32, blend=(["x"], None), split="1,0,0", tokenizer=end, reset_position_ids=False, reset_attention_mask=False, eod_mask_loss=False, create_attention_mask=False)  # fmt: skip
    theirs = GPTDataset(tokens, "x", np.arange(len(tokens), dtype=np.int32), 300, Split.train, config)
    for number in range(300):
        mine, other = windows.sample(number), theirs[number]
        assert mine.tokens.tolist() == other["tokens"].tolist()
        assert mine.labels.tolist() == other["labels"].tolist()
        assert set(mine.tags.tolist()) <= {10 + tokens.code("authority", piece.row) for piece in windows.pieces(number)}
    for row in (0, 7, 59):
        expected = [n for n in range(300) if any(piece.row == row for piece in windows.pieces(n))]
        assert windows.numbers_of_row(row, 300).tolist() == expected


@settings(max_examples=100)
@given(st.lists(st.integers(1, 64), min_size=1, max_size=200), st.integers(64, 200))
def test_best_fit_packs_everything_once_and_overflows_nothing(lengths: list[int], capacity: int) -> None:
    values = np.array(lengths, np.int64)
    bins, count = best_fit(values, capacity)
    room = np.bincount(bins, weights=values, minlength=count)
    assert len(room) == count
    assert room.max() <= capacity
    assert count <= np.ceil(11 / 9 * -(-values.sum() // capacity)) + 1
    # Best fit, longest first, by the obvious quadratic way.
    left: list[int] = []
    for index in np.argsort(-values, kind="stable"):
        fits = [(space, n) for n, space in enumerate(left) if space >= values[index]]
        if fits:
            left[min(fits)[1]] -= int(values[index])
        else:
            left.append(capacity - int(values[index]))
    assert sorted(capacity - room.astype(int)) == sorted(left)


def test_packs_hold_whole_conversations_and_mask_what_is_not_learned(tmp_path: Path) -> None:
    stream = np.random.default_rng(2)
    tokens = shards(tmp_path, [stream.integers(1, 99, n).tolist() for n in stream.integers(5, 60, 80)], learned=3)
    packs = Packs(tokens, pack(tokens, 128), 128, 3, "assistant", "authority", 0)
    assert pack(tokens, 128).fill > 0.95
    seen: list[int] = []
    for number in range(packs.per_epoch):
        sample, pieces = packs.sample(number), packs.pieces(number)
        seen += [piece.row for piece in pieces]
        assert sample.loss_mask.sum() == 3 * len(pieces)
        end = 0
        for count, piece in enumerate(pieces):
            start, end = end, end + piece.length - 1
            assert sample.tokens[start:end].tolist() == tokens.get(piece.row)[:-1].tolist()
            assert sample.labels[start:end].tolist() == tokens.get(piece.row)[1:].tolist()
            assert sample.positions[start:end].tolist() == list(range(end - start))
            assert set(sample.sequences[start:end].tolist()) == {count}  # type: ignore[index]
        assert sample.loss_mask[end:].sum() == 0
    assert sorted(seen) == list(range(80)), "each conversation once an epoch"
    second = [piece.row for n in range(packs.per_epoch, 2 * packs.per_epoch) for piece in packs.pieces(n)]
    assert sorted(second) == list(range(80))
    assert second != seen, "another order in the second epoch"
    for row in (0, 41):
        expected = [n for n in range(2 * packs.per_epoch) if any(piece.row == row for piece in packs.pieces(n))]
        assert packs.numbers_of_row(row, 2 * packs.per_epoch).tolist() == expected
    with pytest.raises(WrongCall, match=r"mix/part: a conversation of \d+ tokens does not fit"):
        pack(tokens, 32)


def test_packing_real_lengths_is_over_98_percent_full(shared: Path) -> None:
    import polars as pl

    lengths = []
    for path in sorted((shared / "dialogues").rglob("*.csv"))[:4]:
        frame = pl.read_csv(
            path, encoding="utf8-lossy", infer_schema=False, truncate_ragged_lines=True, ignore_errors=True
        )
        text = frame.select(pl.concat_str(pl.col("ask", "answer").fill_null(""), separator="\n")).to_series()
        lengths.append((text.str.len_chars() // 1.6).cast(pl.Int64).to_numpy())
    values = np.clip(np.concatenate(lengths), 8, 2048).astype(np.int64)
    _, count = best_fit(values, 2048)
    assert values.sum() / (count * 2048) > 0.98


@given(st.lists(st.floats(0.05, 5.0), min_size=2, max_size=5), st.integers(50, 400))
def test_any_stretch_of_a_blend_holds_its_shares(weights: list[float], count: int) -> None:
    names = [f"m/{i}" for i in range(len(weights))]
    blend = make_blend(
        [PlannedPhase(1.0, dict(zip(names, weights, strict=True)))], 0.0, dict.fromkeys(names, 10), None, count
    )
    for end in range(1, count + 1, 7):
        taken = np.bincount(blend.chosen[:end], minlength=len(names))
        assert np.abs(taken - np.array(weights) / sum(weights) * end).max() <= len(names)
    for number in range(len(names)):
        assert blend.numbers[blend.chosen == number].tolist() == list(range(int((blend.chosen == number).sum())))


def test_a_blend_is_megatrons_where_weights_stay(tmp_path: Path) -> None:
    from megatron.core.datasets import helpers

    weights = np.array([0.5, 0.3125, 0.1875])
    chosen, numbers = np.zeros(500, np.int16), np.zeros(500, np.int64)
    helpers.build_blending_indices(chosen, numbers, weights, 3, 500, False)
    mine = make_blend(
        [PlannedPhase(1.0, dict(zip("abc", weights, strict=True)))], 0.0, dict.fromkeys("abc", 9), None, 500
    )
    assert np.abs(np.bincount(mine.chosen) - np.bincount(chosen)).max() <= 1
    shares = [np.cumsum(one == 0) for one in (mine.chosen, chosen)]
    assert np.abs(shares[0] - shares[1]).max() <= 1


def test_phases_turn_smoothly_and_caps_give_their_share_away() -> None:
    phases = [PlannedPhase(0.5, {"m/easy": 1.0, "m/hard": 0.0}), PlannedPhase(1.0, {"m/easy": 0.0, "m/hard": 1.0})]
    blend = make_blend(phases, 0.2, {"m/easy": 10, "m/hard": 10}, None, 1000)
    hard = [(blend.chosen[a : a + 100] == 1).mean() for a in range(0, 1000, 100)]
    assert hard[:3] == [0.0, 0.0, 0.0]
    assert hard[5:] == [1.0] * 5
    assert 0.2 < hard[3] < 0.3 < 0.7 < hard[4] < 0.8
    capped = make_blend([PlannedPhase(1.0, {"m/a": 0.8, "m/b": 0.2})], 0.0, {"m/a": 100, "m/b": 1000}, 2.0, 1000)
    assert (capped.chosen == 0).sum() == 200
    assert 245 <= capped.ran_out["m/a"] <= 255
    with pytest.raises(WrongCall, match="the data last for 200 of 1000 samples"):
        make_blend([PlannedPhase(1.0, {"m/a": 1.0})], 0.0, {"m/a": 100}, 2.0, 1000)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_context_parallel_parts_are_even_and_complete(size: int) -> None:
    import torch

    parts = [own_positions(rank, size, 64) for rank in range(size)]
    assert torch.cat(parts)[whole_order(size, 64)].tolist() == list(range(64))
    work = [int((part + 1).sum()) for part in parts]
    assert max(work) == min(work), "causal work is the same on every rank"


def test_the_loss_of_a_pack_is_the_sum_of_its_conversations(tmp_path: Path) -> None:
    import torch

    from trainers.model.attention import CoreAttention
    from trainers.model.bounds import bounds_of

    stream = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, heads, 40, 8, generator=stream) for heads in (4, 2, 2))
    sequences = torch.tensor([0] * 11 + [1] * 20 + [2] * 9)
    attention = CoreAttention.__new__(CoreAttention)
    torch.nn.Module.__init__(attention)
    attention.scale, attention.dropout = 8**-0.5, 0.0
    packed = attention._packed(q, k, v, bounds_of(sequences[None])[0])
    same = sequences[:, None] == sequences[None, :]
    order = torch.arange(40)
    mask = same & (order[None, :] <= order[:, None])
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=8**-0.5, enable_gqa=True)
    assert float((packed - whole).abs().max()) < 1e-5
    with pytest.raises(ValueError, match="needs as many keys as queries, found 40 and 1"):
        attention._attend(q[:, :, :1], k, v)


def test_bounds_follow_what_a_tensor_holds_now() -> None:
    import torch

    from trainers.model.bounds import bounds_of

    sequences = torch.tensor([[0, 0, 1], [0, 1, 2]])
    assert [one.lengths for one in bounds_of(sequences)] == [[2, 1], [1, 1, 1]]
    assert bounds_of(sequences.detach()) is bounds_of(sequences)
    sequences[0] = 0
    assert bounds_of(sequences)[0].lengths == [3]
    assert bounds_of(sequences)[0].ends.tolist() == [0, 3]


def test_a_token_beyond_the_vocabulary_is_named_with_its_document(tmp_path: Path) -> None:
    from schemas.errors import CurateError
    from trainers.data.datasets import Blended

    tokens = shards(tmp_path, [[1, 2, 3, 4]] * 3 + [[1, 999, 3, 4]], learned=1)
    packs = Packs(tokens, pack(tokens, 8), 8, 1, "assistant", "authority", 0)
    blend = make_blend([PlannedPhase(1.0, {"m/talks": 1.0})], 0.0, {"m/talks": packs.per_epoch}, None, packs.per_epoch)
    data = Blended(blend, {"m/talks": packs}, ["m/talks|A"], 100)
    with pytest.raises(CurateError, match=r"m/talks holds the token id 999, beyond the vocabulary of 100.*1-1"):
        [data[index] for index in range(len(data))]


@pytest.mark.parametrize("epochs", [1, 4])
def test_by_epoch_every_token_comes_once_an_epoch_and_a_longer_run_changes_nothing(epochs: int, tmp_path: Path) -> None:
    stream = np.random.default_rng(4)
    rows = [stream.integers(0, 99, n).tolist() for n in stream.integers(1, 90, 60)]
    tokens = shards(tmp_path, rows)
    windows = EpochWindows(tokens, 32, 7, "authority", 10)
    total = sum(map(len, rows))
    firsts = []
    for epoch in range(epochs):
        numbers = range(epoch * windows.per_epoch, (epoch + 1) * windows.per_epoch)
        # A window's last token is the next one's first, as the label of the one and the input of the other.
        seen = [(p.row, p.offset + at) for n in numbers for p in windows.pieces(n) for at in range(p.length)]
        assert len(set(seen)) == windows.per_epoch * 32 + 1 > total - 33
        inputs = [token for n in numbers for token in windows.sample(n).tokens.tolist()]
        assert len(inputs) == windows.per_epoch * 32
        firsts.append(windows.pieces(epoch * windows.per_epoch)[0])
    assert len(set(firsts)) == epochs
    for row in (0, 7, 59):
        below = epochs * windows.per_epoch - 3
        expected = [n for n in range(below) if any(piece.row == row for piece in windows.pieces(n))]
        assert windows.numbers_of_row(row, below).tolist() == expected
    again = EpochWindows(tokens, 32, 7, "authority", 10)
    assert again.pieces(5) == windows.pieces(5)
    assert set(windows.sample(0).tags.tolist()) <= {10 + tokens.code("authority", p.row) for p in windows.pieces(0)}
