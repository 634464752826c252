"""Names of persons written in Latin letters, in the places where records, letters and consultations put them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from filters.privacy.english_words import is_of_medicine
from filters.privacy.finder import Finder, Search, each_match
from filters.privacy.lexicon import Lexicon, is_medical
from filters.privacy.name_forms import FULL, LAST_FIRST, LOW, TOKEN, UPPER
from filters.privacy.spans import Span
from filters.privacy.titles import behind_one_title, behind_titles
from filters.privacy.told_persons import PHRASES, is_place, persons_anywhere, told_person

LABEL_EN: Final = (
    r"(?:[Pp]atient|PATIENT|[Pp]t|[Cc]lient|[Rr]esident)(?:'s)?\s?(?:[Ff]ull\s)?(?:[Nn]ame|NAME)?|(?:[Ff]ull\s|[Ff]irst\s|[Ll]ast\s|[Mm]aiden\s|[Ll]egal\s)?(?:[Nn]ame|NAME)|[Ss]urname|"
    r"[Aa]ttending(?:\s[Pp]hysician)?|[Pp]hysician|[Pp]rovider|[Ss]urgeon|[Aa]naesthetist|[Aa]nesthesiologist|[Nn]urse|[Cc]onsultant|[Rr]eferr(?:ed\sby|ing\s(?:[Pp]hysician|[Dd]octor))|"
    r"[Dd]ictated\sby|[Ss]igned(?:\sby)?|[Ss]ignature|[Ee]lectronically\ssigned\sby|[Rr]eported\sby|[Pp]repared\sby|[Tt]ranscribed\sby|[Rr]eviewed\sby|[Ww]itness|"
    r"[Mm]other|[Ff]ather|[Ww]ife|[Hh]usband|[Ss]pouse|[Ss]on|[Dd]aughter|[Bb]rother|[Ss]ister|[Nn]ext\sof\s[Kk]in|[Ee]mergency\s[Cc]ontact|[Gg]uardian|[Cc]arer|[Cc]aregiver|"
    r"[Cc]ontact(?:\s[Pp]erson)?|[Pp]harmacist|[Rr]adiologist|[Pp]athologist|GP|PCP|RE|Re|cc|CC|ATTN|Attn"
)
# Names of things, whose label is no label of a person: generic name, file name.
OF_THINGS: Final = re.compile(
    r"(?i)(?:generic|brand|trade|drug|product|chemical|common|scientific|proprietary|nonproprietary|latin|file|test|hospital|"
    r"device|company|procedure|journal|study|trial|gene|protein|species|plant|herb|medication|medicine|vaccine|user|domain|"
    r"manufacturer|disease|project|variable|column|field|organism|official|other|short|full|system|model)[ ]*$"
)
LABELLED_EN: Final = re.compile(
    rf"(?<![A-Za-z])(?:{LABEL_EN})[ ]?(?::|#)[ ]{{0,4}}(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.?[ ])?(?P<name>{LAST_FIRST}|{FULL}|{UPPER})"
)
# Titles that are words as well: what follows must read as a name by itself.
WORD_TITLE: Final = re.compile(rf"(?<![A-Za-z])(?:Professor|Doctor|Nurse|Sister|Sir)\s{{1,2}}(?P<name>{FULL})")
# A name in small letters behind a label that asks for one: name: sarah blenkin.
SMALL: Final = re.compile(
    rf"(?i:(?:patient(?:'s)? |pt )?name|patient|pt) ?: {{0,3}}(?P<name>[{LOW}]{{2,}}(?:[-'][{LOW}]+)?(?: [{LOW}]{{2,}}(?:[-'][{LOW}]+)?){{1,2}})(?= *(?:$|\n|[,;(]|\d))",
    re.MULTILINE,
)
# The same behind a phrase or a title, as people write to a doctor: my name is sarah blenkin; mrs. blenkin.
SMALL_SAID: Final = re.compile(
    rf"(?:\bmy name is|\bmy name's|\bi am called) (?P<name>[{LOW}]{{2,}}(?: [{LOW}]{{2,}})?)(?=[ ]*(?:[,.;!]|and\b|$))",
    re.MULTILINE,
)
SMALL_TITLE: Final = re.compile(rf"\b(?:mr\.|mrs\.?|ms\.) (?P<name>[{LOW}]{{3,}})\b")  # not mr imaging, ms lesions
SAID_EN: Final = re.compile(
    rf"(?:[Mm]y\sname\sis|[Nn]ame\sis|(?<![a-z])named|[Ss]incerely,?|[Rr]egards,?|[Cc]heers,?|[Yy]ours\s(?:truly|faithfully|sincerely),?)\s{{1,3}}(?:Dr\.?\s)?(?P<name>{FULL})"
)
CREDENTIAL: Final = re.compile(
    rf"(?P<name>{TOKEN}\s(?:{TOKEN}\s)?{TOKEN}),?\s(?:M\.?D\.?|D\.?O\.?|R\.?N\.?|MBBS|MBChB|FRCP|FRCS|NP|PA-C|APRN|LPN|DNP|CRNA|Ph\.?D\.?)(?![A-Za-z])"
)
# Looked at from every word, so that a word before a name does not hide it.
PAIR: Final = re.compile(
    r"(?<![A-Za-z])(?=(?P<first>[A-Z][a-z]+)\s(?:[A-Z]\.?\s)?(?P<last>(?:Mc|Mac|O'|O’)?[A-Z][a-z]+(?:-[A-Z][a-z]+)?)(?![A-Za-z]))"
)
AFTER_EPONYM: Final = re.compile(
    r"(?:'s|’s|s')?\s(?:disease|syndrome|sign|test|score|scale|law|method|reflex|cells?|sounds?|contractions?|areas?|phenomenon|palsy|lymphoma|chorea|procedure|index|criteria|"
    r"stage|staging|grading|grade|classification|murmur|nodule|node|triad|tetrad|position|man(?:o)?euv(?:re|er)|technique|operation|repair|catheter|"
    r"tube|bandage|splint|fracture|tumou?r|an(?:a)?emia|duct|space|line|tract|bod(?:y|ies)|ring|plaque|rash|spots?|gland|equation|formula|curve|"
    r"stain|agar|medium|antigen|factor|receptor|protocol|regimen|hypothesis|principle|ligament|foramen|canal|valve|fever|oedema|edema|"
    r"[Gg]rass|[Ff]ir|[Tt]ree|[Pp]ine|[Hh]ospital|[Uu]niversity|College|Clinic|Institute|Foundation|Press|Today|Journal|Review|Award|Prize|Lecture|"
    r"Study|Trial|Inc|Ltd|Pharma\w*|Laborator\w+|Company|Corporation|Infirmary|Hospice|"
    r"(?:(?:General|Memorial|Community|County|City|Regional|District|Royal|National|Central|Children['’]s|Women['’]s|Veterans|Medical|Health|"
    r"Cancer|Heart|Eye|Research|Teaching|University|Public)\s){1,2}(?:Hospital|Clinic|Cent(?:er|re)|Infirmary|Institute|School|System|College)"
    r")(?![a-z])"
)


def _told_en(pattern: re.Pattern[str], lexicon: Lexicon) -> Search:
    """Names that a label, a title that is a word as well, or a phrase announces."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in pattern.finditer(text, low, high):
            start = match.start("name")
            if OF_THINGS.search(text, max(0, match.start() - 24), match.start()):
                continue
            length = _english_length(match.group("name"), lexicon)
            if length and is_medical(text[start : start + length]):
                continue
            if length and not AFTER_EPONYM.match(text, start + length):
                yield Span(start, start + length, "NAME")

    return find


def _titled_en(find_all: Callable[[str, int, int], Iterator[tuple[int, str]]], lexicon: Lexicon) -> Search:
    """Names behind titles, whatever the name is."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for start, name in find_all(text, low, high):
            length = _english_length(name, lexicon, titled=True)
            if length and not AFTER_EPONYM.match(text, start + length):
                yield Span(start, start + length, "NAME")

    return find


def _small_en(pattern: re.Pattern[str], lexicon: Lexicon, titled: bool = False) -> Search:
    """Names in small letters; without a title the first word must be a first name: my name is not important."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in pattern.finditer(text, low, high):
            name = match.group("name")
            words = name.split()
            known = (
                titled
                or words[0].title() in lexicon.first_names
                or (len(words) == 2 and not lexicon.small_words & {*words})
            )
            length = _english_length(name, lexicon, titled) if known and not is_medical(name) else 0
            if length:
                yield Span(match.start("name"), match.start("name") + length, "NAME")

    return find


def _no_medicine(name: str) -> bool:
    """Whether words in small letters are none of medicine: patient: pulmonary infundibular stenosis."""
    return not (is_medical(name) or any(is_of_medicine(word) for word in name.split()))


def _pairs(lexicon: Lexicon) -> Search:
    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in PAIR.finditer(text, low, high):
            if is_place(text, match.start()):
                continue
            first, last = match.group("first"), match.group("last")
            plain = last in lexicon.not_names or last in lexicon.eponyms_en
            if first in lexicon.first_names and not plain and not AFTER_EPONYM.match(text, match.end("last")):
                yield Span(match.start(), match.end("last"), "NAME")

    return find


# Words that are names of persons as well, behind a title or a label.
NAME_WORDS: Final = frozenset(
    [
        "April",
        "May",
        "June",
        "August",
        "Will",
        "Said",
        "Mark",
        "Grace",
        "Hope",
        "Joy",
        "Faith",
        "Summer",
        "Autumn",
        "Rose",
        "Ivy",
        "Dawn",
        "Bill",
        "Rich",
        "Frank",
        "Art",
        "Long",
        "Young",
        "Page",
        "Price",
        "Day",
        "Best",
        "Love",
        "Power",
        "Bond",
        "Rush",
        "Pain",
        "Field",
        "Street",
        "Ward",
        "Chambers",
        "Gray",
        "Grey",
        "White",
        "Black",
        "Brown",
        "Green",
    ]
)


def _english_length(name: str, lexicon: Lexicon, titled: bool = False) -> int:
    """Characters of the words at the head of a match that may be a name."""
    end = 0
    for word in re.finditer(r"\S+", name):
        bare = word.group().strip(",.")
        if (bare in lexicon.not_names or bare.title() in lexicon.not_names) and bare.title() not in NAME_WORDS:
            break
        end = word.end()
    found = name[:end].rstrip(", ")
    words = found.split()
    if not words or (len(words) == 1 and len(words[0].strip(".")) < 2):
        return 0
    if len(words) == 1 and not titled and words[0].strip(".") in lexicon.eponyms_en:
        return 0
    return len(found)


def english_finders(lexicon: Lexicon) -> tuple[Finder, ...]:
    """Finders of names in Latin letters. A published text names its authors, so only a form's label counts there."""
    return (
        Finder(
            r"(?i)patient(?:'s)?\s?(?:full\s)?name\s?[:#]|next of kin\s?:|emergency contact\s?:",
            _told_en(LABELLED_EN, lexicon),
        ),
        Finder(rf"(?:{LABEL_EN})\s?[:#]", _told_en(LABELLED_EN, lexicon), "public"),
        Finder(r"(?i)(?:Mr|Mrs|Ms|Mx|Miss|Dr|Drs|Prof)\.?\s", _titled_en(behind_titles, lexicon), "public"),
        Finder(r"(?:Drs|Profs|Messrs|Doctors|Professors)\.?\s", _titled_en(behind_one_title, lexicon), "public"),
        Finder(r"(?:Professor|Doctor|Nurse|Sister|Sir)\s", _told_en(WORD_TITLE, lexicon), "public"),
        Finder(r"(?i)(?:patient|name|pt)\s?:", each_match("NAME", SMALL, "name", _no_medicine), "personal"),
        Finder(r"my name|i am called", _small_en(SMALL_SAID, lexicon), "personal"),
        Finder(r"mrs?\.?\s|ms\.\s", _small_en(SMALL_TITLE, lexicon, titled=True), "personal"),
        Finder(r"(?i)name is|named|sincerely|regards|cheers|yours", _told_en(SAID_EN, lexicon), "personal"),
        Finder(
            r"[a-z.],?\s(?:M\.?D|D\.?O|R\.?N|MB|FRC|NP|PA-C|APRN|LPN|DNP|CRNA|Ph\.?D)",
            _told_en(CREDENTIAL, lexicon),
            "personal",
        ),
        Finder(r"[A-Z][a-z]+\s(?:[A-Z]\.?\s)?(?:Mc|Mac|O'|O’)?[A-Z][a-z]", _pairs(lexicon), "personal"),
        *(Finder(hint, told_person(pattern, lexicon, AFTER_EPONYM), "personal") for hint, pattern in PHRASES),
        Finder(r"\w\.?[ ]{1,2}(?:\w+ ){0,2}\w", persons_anywhere(lexicon, AFTER_EPONYM), "personal"),
    )
