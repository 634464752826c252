"""Studies of ClinicalTrials.gov: JSON of its second interface (one, a page of them, or lines), and the older XML."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import orjson
from lxml import etree

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import MAX_DOCUMENT_BYTES, Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import descendants, local, parse_xml, squeeze
from sources.markup.tables import Cell, table_text
from sources.markup.trials_xml import Study, as_json
from sources.readers.rows import bounded_lines

HEAD: Final = re.compile(rb"\"protocolSection\"\s*:|<clinical_study[\s>]|<search_results[^>]*>\s*<study[\s>]")
LICENCE: Final = "public-domain"  # records of a US government registry; its terms of use ask to name it and the date
ITEM: Final = re.compile(r"([ \t]*)([*-]|\d{1,2}[.)])\s+(.*)")


@reader(
    "clinicaltrials",
    sniff=lambda head: HEAD.search(head) is not None,
    priority=FIRST,
    source="ClinicalTrials.gov API 2.0, https://clinicaltrials.gov/data-api/api",
    example='{name: trials, files: "trials/*.json", format: clinicaltrials, source_type: knowledge}',
)
def read_clinicaltrials(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """A document a study: summary, design, arms, interventions, eligibility, outcomes, results as tables."""
    if blob.head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<":
        yield from _from_xml(blob)
        return
    data = blob.read_all(4 * MAX_DOCUMENT_BYTES)
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        yield from _from_lines(blob, data, str(error))
        return
    studies = told.get("studies") if isinstance(told, dict) and "studies" in told else told
    for number, study in enumerate(studies if isinstance(studies, list) else [studies], 1):
        raw = orjson.dumps(study)
        yield from _told(blob, study, sha256(data) if study is told else sha256(raw), "" if study is told else str(number))  # fmt: skip # noqa: E501


def _from_lines(blob: Blob, data: bytes, error: str) -> Iterator[Draft | Broken]:
    if b"\n" not in data.strip():
        raise Unreadable(f"not valid JSON: {error}")
    for number, line in bounded_lines(io.BytesIO(data)):
        if not line or not line.strip():
            continue
        try:
            study = orjson.loads(line)
        except orjson.JSONDecodeError as wrong:
            yield Broken(f"{blob.uri}#{number}", "clinicaltrials", f"not valid JSON: {wrong}", len(line), sha256(line))
            continue
        yield from _told(blob, study, sha256(line), str(number))


def _told(blob: Blob, study: Any, digest: str, place: str) -> Iterator[Draft | Broken]:
    try:
        draft = study_draft(study, digest)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        yield Broken(f"{blob.uri}#{place or 1}", "clinicaltrials", f"not a study: {type(error).__name__}: {error}", 0, digest)  # fmt: skip # noqa: E501
        return
    yield Draft(**{**draft, "place": place, "uri": f"{blob.uri}#{draft['series'].partition(':')[2]}" if place else None})  # fmt: skip # noqa: E501


def study_draft(study: Study, digest: str) -> dict[str, Any]:
    """The fields of a study's draft, from the interface's JSON."""
    protocol = study["protocolSection"]
    named = protocol["identificationModule"]
    status = protocol.get("statusModule", {})
    title = squeeze(named.get("briefTitle") or named.get("officialTitle") or named["nctId"])
    blocks = [f"# {title}", *_head(protocol, named, status)]
    blocks += _prose(protocol)
    blocks += _design(protocol.get("designModule", {}), protocol.get("armsInterventionsModule", {}))
    blocks += _outcomes(protocol.get("outcomesModule", {}))
    blocks += _eligibility(protocol.get("eligibilityModule", {}))
    blocks += _results(study.get("resultsSection", {}))
    updated = status.get("lastUpdatePostDateStruct", {}).get("date") or status.get("lastUpdateSubmitDate")
    return {
        "text": "\n\n".join(filter(None, blocks)),
        "raw_sha256": digest,
        "title": title,
        "published": updated,
        "licence": LICENCE,
        "language": "en",
        "publisher": "ClinicalTrials.gov",
        "article_type": "clinical trial registration",
        "series": f"nct:{named['nctId']}",
        "edition": updated,
    }


def _head(protocol: Study, named: Study, status: Study) -> list[str]:
    official = squeeze(named.get("officialTitle", ""))
    conditions = protocol.get("conditionsModule", {})
    sponsor = protocol.get("sponsorCollaboratorsModule", {}).get("leadSponsor", {}).get("name", "")
    lines = {
        "Identifier": named["nctId"],
        "Conditions": "; ".join(conditions.get("conditions", [])),
        "Keywords": "; ".join(conditions.get("keywords", [])),
        "Status": _words(status.get("overallStatus", "")),
        "Why stopped": status.get("whyStopped", ""),
        "Start": status.get("startDateStruct", {}).get("date", ""),
        "Completion": status.get("completionDateStruct", {}).get("date", ""),
        "Sponsor": sponsor,
    }
    return [official, "\n".join(f"{name}: {words}" for name, words in lines.items() if words)]


def _prose(protocol: Study) -> list[str]:
    described = protocol.get("descriptionModule", {})
    told = []
    for name, heading in (("briefSummary", "Summary"), ("detailedDescription", "Description")):
        if words := described.get(name):
            told += [f"## {heading}", *_paragraphs(words)]
    return told


def _paragraphs(words: str) -> list[str]:
    """Paragraphs and lists of a field; wrapped lines are joined, items stand one a line under one another."""
    told: list[str] = []
    for part in re.split(r"\n\s*\n", textwrap.dedent(words.strip("\n")).rstrip()):
        lines: list[str] = []
        for line in part.split("\n"):
            item = ITEM.match(line)
            if item:
                lines.append(f"{'  ' * (len(item[1].expandtabs()) // 4)}{item[2].replace('*', '-')} {_said(item[3])}")
            elif lines:
                lines[-1] += f" {_said(line)}"
            elif line.strip():
                lines.append(_said(line))
        if lines and told and ITEM.match(lines[0]) and ITEM.match(told[-1]):
            told[-1] += "\n" + "\n".join(lines)
        elif lines:
            told.append("\n".join(lines))
    return told


def _said(words: str | None) -> str:
    """A field on one line, without the escapes of its markdown."""
    return squeeze(re.sub(r"\\([<>*_\[\]~&^#])", r"\1", words or ""))


def _words(code: str) -> str:
    return re.sub(r"(?<=phase)(?=\d)", " ", code.replace("_", " ").lower())


def _design(design: Study, arms: Study) -> list[str]:
    info = design.get("designInfo", {})
    enrolled = design.get("enrollmentInfo", {})
    lines = {
        "Study type": _words(design.get("studyType", "")),
        "Phase": ", ".join(_words(one) for one in design.get("phases", []) if one != "NA"),
        "Allocation": _words(info.get("allocation", "")),
        "Intervention model": _words(info.get("interventionModel", "")),
        "Observational model": _words(info.get("observationalModel", "")),
        "Time perspective": _words(info.get("timePerspective", "")),
        "Primary purpose": _words(info.get("primaryPurpose", "")),
        "Masking": _words(info.get("maskingInfo", {}).get("masking", "")),
        "Enrolment": f"{enrolled['count']} ({_words(enrolled.get('type', ''))})" if "count" in enrolled else "",
    }
    told = ["## Design", "\n".join(f"{name}: {words}" for name, words in lines.items() if words)]
    groups = [_item(one, "label", _words(one.get("type", ""))) for one in arms.get("armGroups", [])]
    given = [_item(one, "name", _words(one.get("type", ""))) for one in arms.get("interventions", [])]
    told += ["## Arms", "\n".join(groups)] if groups else []
    return told + (["## Interventions", "\n".join(given)] if given else [])


def _item(one: Study, name: str, kind: str) -> str:
    described = _said(one.get("description"))
    return f"- {one.get(name, '')}{f' ({kind})' if kind else ''}{f': {described}' if described else ''}"


def _outcomes(outcomes: Study) -> list[str]:
    told = []
    for name, heading in (("primaryOutcomes", "Primary outcomes"), ("secondaryOutcomes", "Secondary outcomes"), ("otherOutcomes", "Other outcomes")):  # fmt: skip # noqa: E501
        if lines := [_outcome(one) for one in outcomes.get(name, [])]:
            told += [f"## {heading}", "\n".join(lines)]
    return told


def _outcome(one: Study) -> str:
    described = _said(one.get("description"))
    frame = one.get("timeFrame", "")
    return f"- {one.get('measure', '')}{f': {described}' if described else ''}{f' (time frame: {frame})' if frame else ''}"  # fmt: skip # noqa: E501


def _eligibility(rules: Study) -> list[str]:
    if not rules:
        return []
    ages = " to ".join(age for name in ("minimumAge", "maximumAge") if (age := rules.get(name, "")) not in ("", "N/A"))
    healthy = rules.get("healthyVolunteers")
    lines = {
        "Sex": _words(rules.get("sex", "")),
        "Age": ages,
        "Healthy volunteers": "" if healthy is None else "yes" if healthy else "no",
    }
    return ["## Eligibility", "\n".join(f"{name}: {words}" for name, words in lines.items() if words),
            *_paragraphs(rules.get("eligibilityCriteria", ""))]  # fmt: skip


def _results(results: Study) -> list[str]:
    """Outcome measures with their groups and values, and adverse events, as tables."""
    told = []
    for one in results.get("outcomeMeasuresModule", {}).get("outcomeMeasures", []):
        if table := _measure(one):
            told += [f"### {_said(one.get('title'))}", _said(one.get("description")), table]
    told = ["## Results", *told] if told else []
    if table := _events(results.get("adverseEventsModule", {})):
        told += ["## Adverse events", table]
    limits = results.get("moreInfoModule", {}).get("limitationsAndCaveats", {}).get("description")
    return told + (["## Limitations", _said(limits)] if limits else [])


def _measure(one: Study) -> str:
    groups = one.get("groups", [])
    unit, kind, spread = one.get("unitOfMeasure", ""), one.get("paramType", ""), one.get("dispersionType", "")
    head = ", ".join(filter(None, [_words(kind), unit, spread.lower()]))
    rows = [[Cell(head), *(Cell(group.get("title", "")) for group in groups)]]
    for each in one.get("classes", []):
        for category in each.get("categories", []):
            values = {value.get("groupId"): value for value in category.get("measurements", [])}
            name = " ".join(filter(None, [each.get("title", ""), category.get("title", "")]))
            rows.append([Cell(name), *(Cell(_value(values.get(group.get("id"), {}))) for group in groups)])
    return table_text(rows) if len(rows) > 1 else ""


def _value(value: Study) -> str:
    low, high, spread = (value.get(name) for name in ("lowerLimit", "upperLimit", "spread"))
    between = f" ({low} to {high})" if low and high else f" ± {spread}" if spread else ""
    return f"{value.get('value', '')}{between}"


def _events(module: Study) -> str:
    groups = module.get("eventGroups", [])
    rows = [[Cell("Event"), *(Cell(group.get("title", "")) for group in groups)]]
    for kind, name in (("seriousEvents", "serious"), ("otherEvents", "other")):
        for event in module.get(kind, []):
            counts = {one.get("groupId"): one for one in event.get("stats", [])}
            cells = [counts.get(group.get("id"), {}) for group in groups]
            shown = [f"{one['numAffected']}/{one.get('numAtRisk', '')}" if "numAffected" in one else "" for one in cells]  # fmt: skip # noqa: E501
            rows.append([Cell(f"{event.get('term', '')} ({name})"), *map(Cell, shown)])
    return table_text(rows) if len(rows) > 1 else ""


def _from_xml(blob: Blob) -> Iterator[Draft | Broken]:
    data = blob.read_all()
    root = parse_xml(data)
    studies = [root] if local(root) == "clinical_study" else [*descendants(root, "clinical_study")]
    if not studies:
        raise Unreadable("no <clinical_study> in it")
    for number, one in enumerate(studies, 1):
        digest = sha256(data) if one is root else sha256(etree.tostring(one))
        yield from _told(blob, as_json(one), digest, "" if one is root else str(number))
