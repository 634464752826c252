"""Preferences out of rows: TRL's columns, HH's transcripts, UltraFeedback's ratings, or templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from schemas.conversation import Turn
from schemas.errors import Unreadable
from schemas.preference import OVERALL, Preference, asked_and_answers
from schemas.recipe import PreferenceForm
from sources.conversation_rows import filled, message, number_of, parsed, text_of

HH_TURN: Final = re.compile(r"(?:^|\n\n)(Human|Assistant): ?")
HH_ROLES: Final = {"Human": "user", "Assistant": "assistant"}
# Ratings of UltraFeedback (Cui et al. 2023, section 2.3).
ULTRAFEEDBACK_ASPECTS: Final = ("helpfulness", "honesty", "instruction_following", "truthfulness")


def preferences_from_row(row: Mapping[str, Any], form: PreferenceForm | str) -> list[Preference]:
    """The pairs of a row: one, or one for each aspect that ratings tell apart.

    `trl`: `chosen` and `rejected` with `prompt`, texts or messages; without a prompt what both begin with is
    it. `hh`: two transcripts of Human and Assistant. `ultrafeedback`: `instruction` and rated `completions`, of
    which the best and the worst in each aspect make a pair. `labels`: a labelling packet that came back, as CSV, from
    Label Studio or from Argilla, a pair for each person who decided. `auto` tells them apart.

    Raises:
        Unreadable: with the reason.
    """
    if isinstance(form, PreferenceForm):
        return [_made(row, *_from_templates(row, form))]
    read = FORMS[_guessed(row) if form == "auto" else form]
    return read(row)


def _guessed(row: Mapping[str, Any]) -> str:
    if "answer_a" in row or "annotations" in row or "responses" in row:
        return "labels"
    if row.get("completions") not in (None, ""):
        return "ultrafeedback"
    if isinstance(row.get("chosen"), str) and HH_TURN.match(row["chosen"]):
        return "hh"
    if row.get("chosen") not in (None, ""):
        return "trl"
    raise Unreadable(
        f"no preference in columns {', '.join(map(str, row))}: neither chosen and rejected nor completions; "
        "say in the recipe how columns become a pair (preferences: {user: …, chosen: …, rejected: …})"
    )


Told = tuple[list[Turn], str, str, dict[str, Any]]


def _made(row: Mapping[str, Any], turns: list[Turn], chosen: str, rejected: str, told: dict[str, Any]) -> Preference:
    """A checked pair; `told` goes before the row's own columns."""
    answers = (Turn(role="assistant", content=one.strip()) for one in (chosen, rejected))
    asked, better, worse = asked_and_answers((*turns, *answers))
    values = {name: text_of(row.get(name)) for name in ("aspect", "annotator", "task", "ability")} | told
    try:
        return Preference(
            turns=asked,
            chosen=better.content,
            rejected=worse.content,
            aspect=values["aspect"] or OVERALL,
            annotator=values["annotator"],
            strength=values["strength"] if "strength" in values else _strength(row),
            source_documents=tuple(map(str, parsed(row.get("source_documents"), "source_documents") or ())),
            task=values["task"],
            ability=values["ability"],
            difficulty=number_of(row.get("difficulty")),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise Unreadable(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _strength(row: Mapping[str, Any]) -> float | None:
    """How much better the chosen answer is: `strength`, or the difference of two scores."""
    if row.get("strength") not in (None, ""):
        return _number(row["strength"], "strength")
    better, worse = (row.get(f"score_{name}") for name in ("chosen", "rejected"))
    if better in (None, "") or worse in (None, ""):
        return None
    difference = _number(better, "score_chosen") - _number(worse, "score_rejected")
    if difference < 0:
        raise Unreadable("score_chosen is below score_rejected: the answers may have changed places")
    return difference


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Unreadable(f"`{name}` is no number: {value!r}") from None


def _from_templates(row: Mapping[str, Any], form: PreferenceForm) -> Told:
    turns = [Turn(role="system", content=filled(form.system, row))] if form.system else []
    turns.append(Turn(role="user", content=filled(form.user, row)))
    told: dict[str, Any] = {
        name: filled(text, row) or None for name in ("aspect", "annotator", "task") if (text := getattr(form, name))
    }
    if form.strength:
        found = filled(form.strength, row)
        told["strength"] = _number(found, "strength") if found else None
    return turns, filled(form.chosen, row), filled(form.rejected, row), told


def _from_trl(row: Mapping[str, Any]) -> list[Preference]:
    """TRL's `prompt`, `chosen`, `rejected`; the answers are texts, or messages that may begin with the prompt."""
    chosen, rejected = (_messages(row.get(name), name) for name in ("chosen", "rejected"))
    asked = row.get("prompt")
    if asked in (None, ""):
        turns = _common(chosen, rejected)
        chosen, rejected = chosen[len(turns) :], rejected[len(turns) :]
    else:
        turns = _messages(asked, "prompt", role="user")
        chosen, rejected = (one[len(turns) :] if one[: len(turns)] == turns else one for one in (chosen, rejected))
    system = text_of(row.get("system"))
    if system and not (turns and turns[0].role == "system"):
        turns = [Turn(role="system", content=system), *turns]
    return [_made(row, turns, _answer(chosen, "chosen"), _answer(rejected, "rejected"), {})]


def _messages(value: Any, name: str, role: str = "assistant") -> list[Turn]:
    if isinstance(value, str) and not value.lstrip().startswith("[{"):
        return [Turn(role=role, content=value.strip())]  # type: ignore[arg-type]
    listed = parsed(value, name)
    if not isinstance(listed, list | tuple) or not listed:
        raise Unreadable(f"`{name}` is neither a text nor a list of messages")
    return [message(one, number, "role", "content") for number, one in enumerate(listed, 1)]


def _common(one: list[Turn], other: list[Turn]) -> list[Turn]:
    count = 0
    while count < min(len(one), len(other)) - 1 and one[count] == other[count]:
        count += 1
    return one[:count]


def _answer(turns: list[Turn], name: str) -> str:
    if len(turns) != 1 or turns[0].role != "assistant":
        raise Unreadable(
            f"`{name}` is not one answer to the prompt: {', '.join(one.role for one in turns) or 'nothing'}"
        )
    return turns[0].content


def _from_hh(row: Mapping[str, Any]) -> list[Preference]:
    """Anthropic's helpful-harmless transcripts (Bai et al. 2022): alike but for the last answer."""
    chosen, rejected = (_transcript(row.get(name), name) for name in ("chosen", "rejected"))
    turns = _common(chosen, rejected)
    count = len(turns)
    return [_made(row, turns, _answer(chosen[count:], "chosen"), _answer(rejected[count:], "rejected"), {})]


def _transcript(value: Any, name: str) -> list[Turn]:
    if not isinstance(value, str) or not HH_TURN.match(value):
        raise Unreadable(f"`{name}` is no transcript that begins with Human: or Assistant:")
    pieces = HH_TURN.split(value)
    return [
        Turn(role=HH_ROLES[role], content=words.strip())  # type: ignore[arg-type]
        for role, words in zip(pieces[1::2], pieces[2::2], strict=True)
    ]


def _from_ultrafeedback(row: Mapping[str, Any]) -> list[Preference]:
    """Of rated completions the best and the worst in each aspect; aspects in which all are alike tell nothing."""
    listed = parsed(row.get("completions"), "completions")
    if not isinstance(listed, list | tuple) or len(listed) < 2:
        raise Unreadable("`completions` is no list of two or more rated answers")
    turns = [Turn(role="user", content=text_of(row.get("instruction") or row.get("prompt")) or "")]
    found = []
    for aspect in ULTRAFEEDBACK_ASPECTS:
        rated = [
            (rating, text_of(one.get("response")) or "")
            for one in listed
            if (rating := _rating(one, aspect)) is not None
        ]
        if len(rated) < 2:
            continue
        # The first of equals, so that the order of the file decides and not the words.
        best, worst = max(rated, key=lambda one: one[0]), min(rated, key=lambda one: one[0])
        if best[0] > worst[0]:
            found.append(_made(row, turns, best[1], worst[1], {"aspect": aspect, "strength": best[0] - worst[0]}))
    if not found:
        raise Unreadable("no aspect rates two completions differently")
    return found


def _rating(completion: Any, aspect: str) -> float | None:
    """A rating of one to five; `N/A` and what is absent is none."""
    if not isinstance(completion, Mapping):
        raise Unreadable(f"a completion is no object but {type(completion).__name__}")
    told = (completion.get("annotations") or {}).get(aspect)
    value = told.get("Rating", told.get("rating")) if isinstance(told, Mapping) else told
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _from_labels(row: Mapping[str, Any]) -> list[Preference]:
    """A pair of a packet for each person who preferred one; ties and pairs without a label are none."""
    about, decisions = _labelled(row)
    missing = [name for name in ("prompt", "answer_a", "answer_b") if not text_of(about.get(name))]
    if missing:
        raise Unreadable(f"a labelled pair without `{missing[0]}`")
    found = []
    for annotator, decision in decisions:
        preferred = decision.strip().casefold()
        if preferred in ("a", "b"):
            better, worse = (str(about[f"answer_{name}"]) for name in (preferred, "ab".replace(preferred, "")))
            turns = [Turn(role="user", content=str(about["prompt"]).strip())]
            found.append(_made(about, turns, better, worse, {"annotator": annotator or None}))
        elif preferred not in ("", "tie"):
            raise Unreadable(f"a label is a, b or tie, not {decision!r}")
    if not found:
        raise Unreadable("not labelled, or a tie: neither answer is preferred")
    return found


def _labelled(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[tuple[str, str]]]:
    """What a pair is, and who preferred what, in the three forms of a packet."""
    if "annotations" in row:  # Label Studio's JSON export
        told = [
            (_person(one.get("completed_by")), str(choice))
            for one in parsed(row["annotations"], "annotations") or ()
            for result in one.get("result") or ()
            for choice in (result.get("value") or {}).get("choices") or ()
        ]
        return parsed(row.get("data"), "data") or {}, told
    if "responses" in row:  # Argilla's records
        told = [
            (_person(one.get("user_id")), str(one.get("value") or ""))
            for answers in (parsed(row["responses"], "responses") or {}).values()
            for one in answers
        ]
        return {**(parsed(row.get("metadata"), "metadata") or {}), **(parsed(row.get("fields"), "fields") or {})}, told
    return row, [(text_of(row.get("annotator")) or "", text_of(row.get("preferred")) or "")]


def _person(value: Any) -> str:
    """Who labelled, as both tools tell it: a number, a name, or an object with either."""
    if isinstance(value, Mapping):
        value = value.get("id") or value.get("username")
    return text_of(value) or ""


FORMS: Final[dict[str, Callable[[Mapping[str, Any]], list[Preference]]]] = {
    "trl": _from_trl,
    "hh": _from_hh,
    "ultrafeedback": _from_ultrafeedback,
    "labels": _from_labels,
}
