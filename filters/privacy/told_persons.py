"""English phrases behind which a person is named without a label: seen by, this is, Dear, her son, care of.

What stands there must read as a name by itself: two words at least where the phrase may go on otherwise, and no word of
medicine (`is_medical`, ICD-10-CM) or of those that are no names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from filters.privacy.english_words import is_given_name, is_of_medicine, reads_as_person, small_words
from filters.privacy.finder import Search
from filters.privacy.lexicon import Lexicon
from filters.privacy.name_forms import FULL, LAST_FIRST, PARTICLE, SEVERAL, TOKEN, UP
from filters.privacy.spans import Span

TITLE: Final = r"(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Nurse|Sister)\.?\s)?"
CAPITALS: Final = rf"[{UP}]{{2,}}(?:[-'][{UP}]+)?,?[ ][{UP}]{{2,}}(?:[ ][{UP}]{{2,}})?"
NAMED: Final = rf"(?P<name>{LAST_FIRST}|{SEVERAL}|{CAPITALS})"
# Whoever has a colon behind the word. Two words at least, since a clinic may stand there as well.
ROLES: Final = (
    r"assistant|prescriber|child|parent(?:\s(?:or|and|/)\s?guardian)?|guardian|invoice\sto|bill(?:ed)?\sto|from|to|cc|author|informant|interpreter|"
    r"caller|technologist|technician|therapist|psychologist|psychiatrist|dentist|midwife|registrar|resident|fellow|intern|student|"
    r"social\sworker|case\smanager|proxy|policy\s?holder|subscriber|insured|applicant|claimant|donor|member|owner|employee|tenant|"
    r"user|teacher|coach|partner|fianc[eé]e?|uncle|aunt|cousin|niece|nephew|grand(?:mother|father|son|daughter|parent)|step(?:mother|father|son|daughter)|"
    r"neighbou?r|friend|relative|witness|interviewer|examiner|operator|anaesthetist|attending|consultant|physician|surgeon|patient|name|signature|signed"
)
LABEL: Final = re.compile(rf"(?<![A-Za-z])(?i:{ROLES})[\"']?\s?[:=]\s{{0,4}}[\"']?{TITLE}{NAMED}")
DONE: Final = (
    r"seen|reviewed|examined|assessed|referred|requested|req|ordered|dictated|signed|reported|prepared|transcribed|performed|given|administered|"
    r"checked|verified|entered|recorded|accompanied|brought\sin|treated|managed|discharged|admitted|interviewed|written|completed|witnessed|"
    r"supervised|interpreted|approved|authori[sz]ed|prescribed|dispensed|collected|received|explained|counsel+ed|taken|sent|submitted|scheduled|"
    r"notified|informed|called|helped|escorted|driven|cared\sfor|looked\safter|operated\son|triaged|scribed|translated|countersigned"
)
BY: Final = re.compile(
    rf"(?<![A-Za-z])(?i:{DONE})(?:\s(?:to|for|at|in|on)\s\w+){{0,2}}\s[Bb][Yy]:?\s{{1,2}}{TITLE}{NAMED}"
)
SELF: Final = re.compile(
    rf"(?<![A-Za-z])(?:[Tt]his\sis|[Ii]t['’]?s|I['’]m|I\sam|I,|[Tt]he\slate|[Rr]x\sfor|[Pp]roband\sis)\s{{1,2}}{TITLE}{NAMED}"
)
GREETED: Final = re.compile(
    rf"(?m)^[ ]{{0,8}}(?:Dear|Hi|Hello|Hey|Good\s(?:morning|afternoon|evening)),?\s{TITLE}(?P<name>{FULL})(?:\s(?:and|&)\s{TITLE}(?P<other>{FULL}))?(?=[ ]?(?:[,!:]|$))"
)
KIN: Final = (
    r"mother|father|mum|mom|dad|wife|husband|spouse|son|daughter|brother|sister|partner|fianc[eé]e?|uncle|aunt|cousin|niece|nephew|"
    r"grand(?:mother|father|son|daughter)|step(?:mother|father|son|daughter)|neighbou?r|friend|colleague|widow|widower|carer|boyfriend|girlfriend|guardian|twin"
)
RELATED: Final = re.compile(
    rf"(?<![A-Za-z])(?:\(|(?i:my|his|her|their|our|whose|and|a|the|patient['’]s)\s)(?i:(?:(?:elder|older|younger|late|eldest|youngest|only|adult|own)\s)?(?:{KIN}))[,:]?\s\(?(?P<name>{FULL})"
)
WITH: Final = re.compile(
    rf"(?<![A-Za-z])(?i:care\sof|visit(?:ed)?(?:\sto)?|spoke\s(?:to|with)|speak\s(?:to|with)|reply\sto|questions?\sto|refer(?:red)?\sto|letter\s(?:to|from)|"
    rf"(?:review|discuss(?:ed|ion)?|meeting|met|follow(?:ed)?[- ]up|appointment|lives?|living|session|interview|call)\swith|accompanied\sby|to\ssee|saw|thank|for\sseeing|our\s(?:member|client|patient|resident)|"
    rf"telephoned|phoned|handed\sover\sto|message\s(?:to|from|for)|behalf\sof|fitness\sto\sdrive:)\s{{1,2}}{TITLE}(?P<name>{SEVERAL})"
)
MET: Final = re.compile(
    rf"(?<![A-Za-z])(?:to\\s(?:see|meet|review)|spoke\\s(?:to|with)|thank\\syou)\\s(?P<name>{FULL})"
)
# A line of a list of appointments, a note's first words, and the name under a letter.
TIMED: Final = re.compile(rf"(?m)^[^\n]{{0,12}}?\d{{1,2}}[:.]\d{{2}}\s(?:-\s)?(?P<name>{SEVERAL})(?=[ ]?[-–,:;])")
AGED: Final = re.compile(
    rf"(?<![A-Za-z])(?P<name>{SEVERAL})(?=(?:,|\sis|\swas|,\sis)\s(?:an?\s|aged\s)?(?:\w+\s)?\d{{1,3}}(?:[- ]year|[- ]?y/?o\b|\s?[,.]))"
)
UNDER: Final = re.compile(rf"(?:[.!?]\s{{1,2}}|\n\s*)(?P<name>{SEVERAL})\s*(?:\x00|\Z)")
PHRASES: Final = (
    (r"[A-Za-z][\"']?\s?[:=]\s{0,4}[\"']?\w", LABEL),
    (r"(?i)\sby:?\s", BY),
    (r"(?i)this is|it['’]?s|i['’]m|i am|I,|the late|rx for|proband is", SELF),
    (r"Dear|Hi|Hello|Hey|Good (?:morning|afternoon|evening)", GREETED),
    (rf"(?i)(?:{KIN})[,:]?\s", RELATED),
    (
        r"(?i)care of|visit|sp[oe]a?ke? |reply to|question|refer|letter|with|accompanied|to see|saw |thank|seeing|our |phoned|handed|message|behalf|drive",
        WITH,
    ),
    (r"(?i)to see|to meet|to review|spoke |thank you", MET),
    (r"\d[:.]\d{2}\s", TIMED),
    (r"\d{1,3}(?:[- ]year|[- ]?y|\s?[,.])", AGED),
    (r"\w\s*(?:\x00|$)", UNDER),
)


def told_person(pattern: re.Pattern[str], lexicon: Lexicon, after: re.Pattern[str]) -> Search:
    """Names behind a phrase; `after` is what makes an eponym of the words before it."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        for match in pattern.finditer(text, low, high):
            if pattern is UNDER and match.end() == high < len(text) and text[high - 1] != "\x00":
                continue  # the stretch ends here, the text does not
            for group in pattern.groupindex:
                name = match.group(group)
                length = (
                    person_length(
                        name,
                        lexicon,
                        single=pattern is GREETED or (pattern in (RELATED, MET) and is_given_name(name.split()[0])),
                    )
                    if name
                    else 0
                )
                if length and not after.match(text, match.start(group) + length):
                    yield Span(match.start(group), match.start(group) + length, "NAME")

    return find


# What is called after a state or a point of the compass: University of North Carolina Wilmington, Western Nevada.
PLACED: Final = re.compile(
    r"(?:(?:University|College|Institute|School|Academy|State|Bank|Hospital)\sof\s(?:the\s)?|(?:North|South|East|West|New)(?:ern)?\s){1,2}$"
)


def is_place(text: str, at: int) -> bool:
    """Whether what begins at a place of a text is called after a place."""
    return PLACED.search(text, max(0, at - 32), at) is not None


ANYWHERE: Final = re.compile(
    rf"(?<![A-Za-z’'-])(?={SEVERAL})(?P<first>{TOKEN})(?P<more>(?:[ ]{{1,2}}{PARTICLE}{TOKEN}){{1,3}})(?![A-Za-z-])"
)


def persons_anywhere(lexicon: Lexicon, after: re.Pattern[str]) -> Search:
    """Two to four capitalised words that read as a person's name, whatever stands around them."""

    def find(text: str, low: int, high: int) -> Iterator[Span]:
        small = small_words(text)
        at = low
        while match := ANYWHERE.search(text, at, high):
            words = list(re.finditer(r"\S+", match.group()))
            end = next((one for one in range(len(words), 1, -1) if _persons(words[:one], lexicon, small)), 0)
            if not end:
                at = match.start() + words[1].start()  # a word before a name does not hide it
                continue
            at = match.start() + words[end - 1].end()
            if not after.match(text, at) and not is_place(text, match.start()):
                yield Span(match.start(), at, "NAME")

    return find


def _persons(words: list[re.Match[str]], lexicon: Lexicon, small: frozenset[str]) -> bool:
    return reads_as_person([one.group() for one in words], lexicon, small)


def person_length(name: str, lexicon: Lexicon, single: bool = False) -> int:
    """Characters of the words at a name's head that read as one; 0 where too few do."""
    end, count = 0, 0
    for word in re.finditer(r"\S+", name):
        bare = word.group().strip(",.'’")
        plain = bare.title() if bare.isupper() else bare
        if plain in lexicon.not_names or (bare.islower() and count == 0 and len(bare) > 3):
            break
        if bare[:1].isupper() and is_of_medicine(plain) and plain not in lexicon.first_names:
            break
        end, count = word.end(), count + 1
    found = name[:end].rstrip(", ")
    words = [one for one in re.findall(r"[^\s,]+", found) if one[0].isupper()]
    if len(words) < (1 if single else 2) or all(len(one.strip(".")) < 2 for one in words):
        return 0
    return 0 if all(one in lexicon.eponyms_en for one in words) else len(found)
