"""How a name is written in Latin letters: words, particles, initials, surname first, capitals."""

from __future__ import annotations

from typing import Final

# Letters of names: Latin, its supplement and extensions A, B and additional (Łukasz, Trần, Fırat).
_LATIN: Final = [chr(code) for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))]
UP: Final = "A-Z" + "".join(one for one in _LATIN if one.isupper())
LOW: Final = "a-z" + "".join(one for one in _LATIN if one.islower())
_PREFIX: Final = r"(?:Mc|Mac|O'|O’|D'|De|Di|Van|Von|La|Le)?"
TOKEN: Final = rf"(?:{_PREFIX}[{UP}][{LOW}]+(?:[-'’][{UP}]?[{LOW}]+)*|[{UP}]\.)"
PARTICLE: Final = r"(?:(?:van|von|de|der|den|di|da|la|le|bin|al|el|dos|del|ter|ten) ){0,2}"
FULL: Final = rf"{TOKEN}(?:[ ]{{1,2}}{PARTICLE}{TOKEN}){{0,3}}"
SEVERAL: Final = rf"{TOKEN}(?:[ ]{{1,2}}{PARTICLE}{TOKEN}){{1,3}}"
LAST_FIRST: Final = rf"{PARTICLE}{TOKEN}(?: {TOKEN})?, {TOKEN}(?: {TOKEN})?"
UPPER: Final = rf"[{UP}]{{2,}}(?:[-'][{UP}]+)?,?[ ][{UP}]{{2,}}(?:[ ][{UP}]\.?)?|[{UP}]{{4,}}(?![{LOW}{UP}\d])"
