"""Segmentation of UTF-8 text columns into units and lines, in one compiled pass each.

A *unit* is what counting and shingling see as a word: a run of letters and digits, one character
of an unspaced script, or a run of one repeated symbol. A sign directly before a digit belongs to
the unit, as in `3.5`, `IL-6` and `p<0.05`; so do a hyphen that ends a word and the dot of an
initial; an apostrophe before letters starts a unit such as `'s`. For spaced languages this follows
spaCy's blank tokenizer closely enough that the published thresholds, which were set with such
tokenizers, keep their meaning.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit, uint64

from textcolumns.characters import DIGIT, IDEOGRAPH, LETTER, NEWLINE, SPACE, SYMBOL, TABLE_SIZE

HAS_LETTER: Final = 1  # at least one alphabetic character
IS_WORD: Final = 2  # not only symbols
IS_IDEOGRAPH: Final = 4

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SEED = np.uint64(0xCBF29CE484222325)


@njit(cache=True, inline="always")
def mix(value):  # type: ignore[no-untyped-def]
    """Finaliser of MurmurHash3: every input bit reaches every output bit."""
    value ^= value >> uint64(33)
    value *= uint64(0xFF51AFD7ED558CCD)
    value ^= value >> uint64(33)
    value *= uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> uint64(33)
    return value


@njit(cache=True, inline="always")
def decode(data, at, end):  # type: ignore[no-untyped-def]
    """Code point at byte `at` of valid UTF-8, and its length in bytes."""
    first = np.uint32(data[at])
    if first < 0x80:
        return first, 1
    if first < 0xE0 and at + 1 < end:
        return ((first & np.uint32(0x1F)) << np.uint32(6)) | (np.uint32(data[at + 1]) & np.uint32(0x3F)), 2
    if first < 0xF0 and at + 2 < end:
        return (
            ((first & np.uint32(0x0F)) << np.uint32(12))
            | ((np.uint32(data[at + 1]) & np.uint32(0x3F)) << np.uint32(6))
            | (np.uint32(data[at + 2]) & np.uint32(0x3F))
        ), 3
    if at + 3 < end:
        return (
            ((first & np.uint32(0x07)) << np.uint32(18))
            | ((np.uint32(data[at + 1]) & np.uint32(0x3F)) << np.uint32(12))
            | ((np.uint32(data[at + 2]) & np.uint32(0x3F)) << np.uint32(6))
            | (np.uint32(data[at + 3]) & np.uint32(0x3F))
        ), 4
    return np.uint32(0xFFFD), 1


MOST_SYMBOLS: Final = 16  # a longer run of signs is no part of a word


@njit(cache=True, inline="always")
def _is_hyphen(code):  # type: ignore[no-untyped-def]
    """- – — ~"""
    return code == 0x2D or code == 0x2013 or code == 0x2014 or code == 0x7E


@njit(cache=True)
def _stays_inside(data, at, end, classes, code, width, before, upper_follows):  # type: ignore[no-untyped-def]
    """Whether the sign at `at` is part of the unit it stands in, as spaCy's English tokenizer has it.

    Signs at the ends of a run without spaces stand alone; one inside stays, but for those that
    part words: heart-lung, and/or, one,two, end.Next, 10-20.
    """
    if code >= 0x2E80:
        return False
    place, run = at + width, 1
    following, step = np.uint32(0), 0
    while place < end and run <= MOST_SYMBOLS:
        following, step = decode(data, place, end)
        kind = classes[following] if following < TABLE_SIZE else SYMBOL
        if kind != SYMBOL:
            break
        if following >= 0x2E80:
            return False
        place += step
        run += 1
    if place >= end or run > MOST_SYMBOLS or not (kind == LETTER or kind == DIGIT):
        return False
    if before == SYMBOL:
        return True
    if run > 1:
        second, _ = decode(data, at + width, end)
        return not ((code == 0x2E and second == 0x2E) or (_is_hyphen(code) and _is_hyphen(second)))
    if (code == 0x27 or code == 0x2019) and kind == LETTER:
        return False  # opens a unit of its own: 's
    if _is_hyphen(code):
        if kind == LETTER:
            return False
        return not (before == DIGIT and code == 0x2D)
    if before == DIGIT and kind == DIGIT and (code == 0x2B or code == 0x2A or code == 0x5E):
        return False
    if kind == LETTER and (code == 0x3A or code == 0x3C or code == 0x3D or code == 0x3E or code == 0x2F):
        return False
    if code == 0x2C and before == LETTER and kind == LETTER:
        return False
    if code == 0x2E and before == LETTER and 65 <= following <= 90:
        return upper_follows
    return True


@njit(cache=True)
def segment_units(data, offsets, classes, folded):  # type: ignore[no-untyped-def]
    """Units of each text.

    `data` is the bytes of all texts and `offsets` their bounds, shape (rows + 1,). Returns the
    unit bounds per row, shape (rows + 1,), and per unit: byte start and end within the text, length in
    characters, hash of the text as written, hash of the folded text, and flags.
    """
    rows = offsets.size - 1
    # A unit a byte at most. Pages of these arrays that are never written take no memory, and growing
    # them inside the loop made every pass count references: six times slower.
    capacity = max(1024, offsets[rows] - offsets[0])
    starts = np.empty(capacity, np.int32)
    ends = np.empty(capacity, np.int32)
    lengths = np.empty(capacity, np.int32)
    hashes = np.empty(capacity, np.uint64)
    folds = np.empty(capacity, np.uint64)
    flags = np.empty(capacity, np.uint8)
    bounds = np.zeros(rows + 1, np.int64)
    count = 0
    for row in range(rows):
        origin, end = offsets[row], offsets[row + 1]
        at, begun = origin, count
        while at < end:
            code, width = decode(data, at, end)
            kind = classes[code] if code < TABLE_SIZE else SYMBOL
            if kind == SPACE or kind == NEWLINE:
                at += width
                continue
            if kind == IDEOGRAPH:  # a unit of its own, whatever stands beside it
                written = (uint64(_SEED) ^ uint64(code)) * uint64(_MULTIPLIER)
                base = folded[code]
                fold = uint64(_SEED) if base == 0 else (uint64(_SEED) ^ uint64(base)) * uint64(_MULTIPLIER)
                starts[count] = at - origin
                at += width
                ends[count] = at - origin
                lengths[count] = 1
                hashes[count] = mix(written)
                folds[count] = hashes[count] if fold == written else mix(fold)
                flags[count] = HAS_LETTER | IS_WORD | IS_IDEOGRAPH
                count += 1
                continue
            start = at
            length = 0
            written = uint64(_SEED)
            fold = uint64(_SEED)
            flag = np.uint8(0)
            first = code
            previous = kind
            before = kind  # of the character before, signs inside included
            letter = np.uint32(0)  # the last letter
            # An apostrophe directly before a letter opens a unit such as 's.
            opens = False
            if kind == SYMBOL and (code == 0x27 or code == 0x2019) and at + width < end:
                following, _ = decode(data, at + width, end)
                opens = (
                    following < TABLE_SIZE
                    and classes[following] == LETTER
                    and at > origin
                    and count > begun
                    and ends[count - 1] == at - origin
                    and (flags[count - 1] & HAS_LETTER) != 0
                )
            while True:
                written = (written ^ uint64(code)) * uint64(_MULTIPLIER)
                base = folded[code] if code < TABLE_SIZE else code
                if base != 0:
                    fold = (fold ^ uint64(base)) * uint64(_MULTIPLIER)
                length += 1
                at += width
                if kind == LETTER:
                    letter = code
                    flag |= np.uint8(HAS_LETTER | IS_WORD)
                elif kind == DIGIT:
                    flag |= np.uint8(IS_WORD)
                if at >= end:
                    break
                previous = kind
                code, width = decode(data, at, end)
                kind = classes[code] if code < TABLE_SIZE else SYMBOL
                if previous == SYMBOL:
                    if opens and kind == LETTER:
                        opens = False
                        continue
                    if kind == SYMBOL and code == first and code != 0x23:
                        continue
                    break
                if kind == LETTER or kind == DIGIT:
                    before = kind
                    continue
                if kind != SYMBOL:
                    break
                # An initial keeps its dot: L., i.e
                if code == 0x2E and previous == LETTER and length == 1 and classes[first] == LETTER:
                    before, kind = LETTER, LETTER
                    continue
                # A hyphen that ends a word stays with it: high-, two- and three-fold.
                if code == 0x2D and previous == LETTER and before == LETTER:
                    following, _ = decode(data, at + width, end) if at + width < end else (np.uint32(32), 1)
                    follower = classes[following] if following < TABLE_SIZE else SYMBOL
                    if follower == SPACE or follower == NEWLINE:
                        before, kind = LETTER, LETTER
                        continue
                lower = not (97 <= letter <= 122)
                if _stays_inside(data, at, end, classes, code, width, before, lower):
                    before, kind = SYMBOL, DIGIT
                    continue
                break
            starts[count] = start - origin
            ends[count] = at - origin
            lengths[count] = length
            hashes[count] = mix(written)
            folds[count] = hashes[count] if fold == written else mix(fold)
            flags[count] = flag
            count += 1
        bounds[row + 1] = count
    return bounds, starts[:count], ends[:count], lengths[:count], hashes[:count], folds[:count], flags[:count]


@njit(cache=True)
def segment_lines(data, offsets, classes, sentence_ends):  # type: ignore[no-untyped-def]
    """Lines of each text, split at line feeds, an empty text having one empty line.

    `sentence_ends` is a table of bytes by character. Returns the line bounds per row, shape
    (rows + 1,), and per line: length in characters, length stripped of white space, first and last
    character after stripping (0 where the line is blank), the number of dots at its end, words
    between spaces, the longest of these, sentence ends, and hash of the text as written.
    """
    rows = offsets.size - 1
    total = rows
    for position in range(offsets[0], offsets[rows]):
        if data[position] == 10:
            total += 1
    bounds = np.zeros(rows + 1, np.int64)
    lengths = np.empty(total, np.int32)
    stripped_of = np.empty(total, np.int32)
    firsts = np.empty(total, np.uint32)
    lasts = np.empty(total, np.uint32)
    dots_of = np.empty(total, np.int32)
    words_of = np.empty(total, np.int32)
    longest_of = np.empty(total, np.int32)
    sentences_of = np.empty(total, np.int32)
    hashes = np.empty(total, np.uint64)
    line = 0
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        while True:
            length, trailing, word, stripped, dots = 0, 0, 0, 0, 0
            words, longest, sentences = 0, 0, 0
            first, last = np.uint32(0), np.uint32(0)
            closed = True
            written = uint64(_SEED)
            while at < end and data[at] != 10:
                code, width = decode(data, at, end)
                kind = classes[code] if code < TABLE_SIZE else SYMBOL
                written = (written ^ uint64(code)) * uint64(_MULTIPLIER)
                length += 1
                if kind == SPACE or kind == NEWLINE:
                    if first != 0:
                        trailing += 1
                    word = 0
                else:
                    if first == 0:
                        first = np.uint32(code)
                    if word == 0:
                        words += 1
                    word += 1
                    longest = max(longest, word)
                    if code == 0x2E:
                        dots = dots + 1 if trailing == 0 else 1
                    else:
                        dots = 0
                    stripped += 1 + trailing
                    trailing = 0
                    last = np.uint32(code)
                    if code < TABLE_SIZE and sentence_ends[code]:
                        # A dot inside a number or an abbreviation ends no sentence.
                        next_at = at + width
                        boundary = next_at >= end or code > 0x7F
                        if not boundary:
                            following, _ = decode(data, next_at, end)
                            follower = classes[following] if following < TABLE_SIZE else SYMBOL
                            boundary = (
                                follower == SPACE
                                or follower == NEWLINE
                                or following == 0x22
                                or following == 0x27
                                or following == 0x201D
                                or following == 0x29
                            )
                        if boundary and not closed:
                            sentences += 1
                            closed = True
                    elif kind == LETTER or kind == DIGIT or kind == IDEOGRAPH:
                        closed = False
                at += width
            if not closed:
                sentences += 1
            lengths[line], stripped_of[line], firsts[line], lasts[line] = length, stripped, first, last
            dots_of[line], words_of[line], longest_of[line], sentences_of[line] = dots, words, longest, sentences
            hashes[line] = mix(written)
            line += 1
            if at >= end:
                break
            at += 1
        bounds[row + 1] = line
    return bounds, lengths, stripped_of, firsts, lasts, dots_of, words_of, longest_of, sentences_of, hashes


UPPER: Final = 1
LOWER: Final = 2


@njit(cache=True)
def count_cases(data, offsets, cases):  # type: ignore[no-untyped-def]
    """Capitals and small letters of each text by a table of `UPPER` and `LOWER` over code points, shape (rows, 2)."""
    rows = offsets.size - 1
    counts = np.zeros((rows, 2), np.int64)
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            code, width = decode(data, at, end)
            at += width
            case = cases[code] if code < TABLE_SIZE else 0
            if case:
                counts[row, case - 1] += 1
    return counts
