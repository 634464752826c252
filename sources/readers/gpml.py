"""GPML, the pathways of WikiPathways: what a pathway is about, what takes part in it, what acts on what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.errors import Unreadable
from schemas.recipe import Source
from sources.draft import Blob, Broken, Draft, sha256
from sources.formats import FIRST, reader
from sources.markup.elements import descendants, local, parse_xml, squeeze

# How an arrow's head reads as a verb (names of GPML 2013a and 2021).
ARROWS: Final = {
    "arrow": "acts on", "directed": "acts on", "mim-stimulation": "stimulates", "stimulation": "stimulates",
    "mim-inhibition": "inhibits", "inhibition": "inhibits", "tbar": "inhibits", "mim-catalysis": "catalyses",
    "catalysis": "catalyses", "mim-conversion": "is converted to", "conversion": "is converted to",
    "mim-binding": "binds", "binding": "binds", "mim-transcription-translation": "is expressed as",
    "transcription-translation": "is expressed as", "transcriptiontranslation": "is expressed as",
    "mim-modification": "modifies", "mim-necessary-stimulation": "is needed for", "mim-cleavage": "cleaves",
    "mim-covalent-bond": "binds covalently", "mim-branching-left": "branches to", "mim-branching-right": "branches to",
    "mim-translocation": "moves to", "translocation": "moves to", "mim-gap": "acts on",
}  # fmt: skip
KINDS: Final = {
    "GeneProduct": "Genes and proteins", "Gene": "Genes and proteins", "Protein": "Genes and proteins",
    "Rna": "RNA", "RNA": "RNA", "Metabolite": "Metabolites", "Complex": "Complexes", "Pathway": "Pathways",
    "Disease": "Diseases", "Phenotype": "Phenotypes", "Event": "Events",
}  # fmt: skip
LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@reader(
    "gpml",
    ".gpml",
    sniff=lambda head: b"pathvisio.org/GPML" in head,
    priority=FIRST,
    source="GPML 2013a and 2021, https://pathvisio.org",
    example='{name: pathways, files: "**/*.gpml", source_type: knowledge, licence: CC0-1.0}',
)
def read_gpml(blob: Blob, source: Source) -> Iterator[Draft | Broken]:
    """One pathway: name, organism, description, members by kind, interactions as sentences."""
    data = blob.read_all()
    root = parse_xml(data)
    if local(root) != "Pathway":
        raise Unreadable("no <Pathway> in it")
    name = squeeze(root.get("Name") or root.get("title") or "")
    organism = squeeze(root.get("Organism") or root.get("organism") or "")
    members = _members(root)
    blocks = [f"# {name}" if name else "", f"Organism: {organism}" if organism else "", *_description(root)]
    for kind in dict.fromkeys(KINDS.values()):
        named = sorted({label for label, its in members.values() if its == kind}, key=str.casefold)
        blocks.append(f"{kind}: {', '.join(named)}" if named else "")
    labels = [squeeze(one.get("TextLabel") or one.get("textLabel") or "") for one in root.iter() if local(one) == "Label"]  # fmt: skip # noqa: E501
    blocks.append(f"Labels: {'; '.join(dict.fromkeys(filter(None, labels)))}" if any(labels) else "")
    if told := list(dict.fromkeys(_interactions(root, members))):
        blocks.append("\n".join(["Interactions:", *(f"- {one}" for one in told)]))
    text = "\n\n".join(filter(None, blocks))
    if not text:
        raise Unreadable("the pathway holds no text")
    version = re.match(r"(WP\d+)_r?(\d+)", root.get("Version") or root.get("version") or "")
    changed = re.match(r"(\d{4})-?(\d\d)-?(\d\d)", root.get("Last-Modified") or root.get("lastModified") or "")
    yield Draft(
        text=text,
        raw_sha256=sha256(data),
        title=name or None,
        published="-".join(changed.groups()) if changed else None,
        language="en",
        publisher=root.get("Data-Source") or root.get("source") or None,
        article_type="pathway",
        series=f"wikipathways:{version[1]}" if version else None,
        edition=version[2] if version else None,
    )


def _description(root: Any) -> list[str]:
    told = [one for one in root if local(one) == "Comment" and "description" in (one.get("Source") or one.get("source") or "").lower()]  # fmt: skip # noqa: E501
    told += [one for one in root if local(one) == "Description"]
    return [squeeze(LINK.sub(r"\1", part)) for one in told for part in re.split(r"\n\s*\n", "".join(one.itertext())) if part.strip()]  # fmt: skip # noqa: E501


def _members(root: Any) -> dict[str, tuple[str, str]]:
    """Label and kind of each node, by its identifiers; a group is named by what is in it."""
    members: dict[str, tuple[str, str]] = {}
    grouped: dict[str, list[str]] = {}
    for one in descendants(root, "DataNode"):
        label = squeeze(one.get("TextLabel") or one.get("textLabel") or "").replace(" \n", " ")
        kind = KINDS.get(one.get("Type") or one.get("type") or "", "Genes and proteins")
        if not label:
            continue
        own = one.get("GraphId") or one.get("elementId")
        members[own or f"#{len(members)}"] = (label, kind)
        if group := one.get("GroupRef") or one.get("groupRef"):
            grouped.setdefault(group, []).append(label)
    for one in descendants(root, "Group"):
        inside = grouped.get(one.get("GroupId") or one.get("elementId") or "", [])
        own = one.get("GraphId") or one.get("elementId")
        if own and inside:
            members[own] = (" and ".join([", ".join(inside[:-1]), inside[-1]]) if len(inside) > 1 else inside[0], "")
    return members


def _interactions(root: Any, members: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Sentences such as "MEKK1 stimulates MKK4"; arrows that end on another arrow's anchor act on that reaction."""
    anchors: dict[str, str] = {}
    arrows = []
    for one in descendants(root, "Interaction"):
        points = [*descendants(one, "Point")]
        if len(points) < 2:
            continue
        ends = [members.get(point.get("GraphRef") or point.get("elementRef") or "", ("", ""))[0] for point in (points[0], points[-1])]  # fmt: skip # noqa: E501
        head = (points[-1].get("ArrowHead") or points[-1].get("arrowHead") or "").lower()
        verb = ARROWS.get(head, "is linked to" if not head or head == "line" else "acts on")
        arrows.append((ends, verb, points[-1].get("GraphRef") or points[-1].get("elementRef") or ""))
        for anchor in descendants(one, "Anchor"):
            own = anchor.get("GraphId") or anchor.get("elementId")
            if own and all(ends):
                anchors[own] = f"the step from {ends[0]} to {ends[1]}"
    for (first, last), verb, target in arrows:
        if first and (end := last or anchors.get(target, "")):
            yield f"{first} {verb} {end}"
