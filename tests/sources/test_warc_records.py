"""WARC files that were cut, flipped and spliced: bytes in are records and quarantine, and good neighbours come through."""

from __future__ import annotations

import gzip
import io
import random

import pytest

from sources.pages.warc_records import Torn, Whole, records


def record(number: int, length: int | None = None, kind: str | None = "response") -> bytes:
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + f"<p>Page {number}.</p>".encode() * 20
    told = [f"WARC-Type: {kind}"] if kind else []
    head = "\r\n".join(
        ["WARC/1.0", *told, f"WARC-Target-URI: https://a.example/{number}", f"Content-Length: {length or len(body)}"]
    )
    return head.encode() + b"\r\n\r\n" + body + b"\r\n\r\n"


def cut(data: bytes) -> list[Whole | Torn]:
    return list(records(io.BytesIO(data)))


@pytest.mark.parametrize("packed", [False, True])
def test_whole_files_are_cut_into_their_records(packed: bool) -> None:
    parts = [record(number) for number in range(5)]
    found = cut(b"".join(gzip.compress(one) if packed else one for one in parts))
    assert [one.data.strip() for one in found if isinstance(one, Whole)] == [one.strip() for one in parts]
    assert len(found) == 5


@pytest.mark.parametrize("length", [5, 100, 700, 1500, 10**9, 10**14])
def test_a_wrong_length_costs_its_own_record(length: int) -> None:
    found = cut(record(1) + record(2, length) + record(3) + record(4))
    pages = [
        number
        for number in range(1, 5)
        if any(f"Page {number}.".encode() in one.data for one in found if isinstance(one, Whole))
    ]
    assert pages == [1, 3, 4]
    (torn,) = [one for one in found if isinstance(one, Torn)]
    assert torn.offset == len(record(1))
    assert torn.size > 0


def test_a_damaged_member_costs_itself() -> None:
    parts = [gzip.compress(record(number)) for number in range(4)]
    for damage in (
        parts[1][:-20],
        parts[1][:40] + b"\x00" * 30 + parts[1][70:],
        b"garbage" * 9,
        parts[1][: len(parts[1]) // 2],
    ):
        found = cut(parts[0] + damage + parts[2] + parts[3])
        pages = [
            number
            for number in range(4)
            if any(f"Page {number}.".encode() in one.data for one in found if isinstance(one, Whole))
        ]
        assert pages == [0, 2, 3]
        assert sum(isinstance(one, Torn) for one in found) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_whatever_happens_to_a_file_its_untouched_records_come_through(packed: bool) -> None:
    parts = [gzip.compress(record(number), mtime=0) if packed else record(number) for number in range(6)]
    places = [sum(map(len, parts[:number])) for number in range(7)]
    whole = b"".join(parts)
    for seed in range(300):
        chance = random.Random(seed)
        kind = chance.choice(["cut", "flip", "splice", "drop"])
        at = chance.randrange(len(whole))
        size = chance.randint(1, 60)
        data = {
            "cut": whole[:at],
            "flip": whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :],
            "splice": whole[:at] + chance.randbytes(size) + whole[at:],
            "drop": whole[:at] + whole[at + size :],
        }[kind]
        found = cut(data)
        touched = range(at, at + (size if kind == "drop" else 1)) if kind != "cut" else range(at, len(whole))
        for number in range(6):
            mine = range(places[number], places[number + 1])
            # A record whose beginning follows damage directly may be taken along by it.
            if max(mine.start, touched.start) < min(mine.stop, touched.stop) or touched.start in (
                mine.start,
                mine.stop,
            ):
                continue
            told = any(f"Page {number}.".encode() in one.data for one in found if isinstance(one, Whole))
            assert told, (seed, kind, at, number)
        changed = not all(
            any(f"Page {number}.".encode() in one.data for one in found if isinstance(one, Whole))
            for number in range(6)
        )
        if changed and data:
            assert any(isinstance(one, Torn) for one in found) or kind == "cut", (seed, kind, at)
