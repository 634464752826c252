"""How a name is written in Latin letters: words, particles, initials, surname first, capitals."""

from __future__ import annotations

from typing import Final

# Letters of names, of Latin and its extensions.
UP: Final = "A-ZÀ-ÖØ-ÞĀĂĄĆĈĊČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŖŘŚŞŠŢŤŪŮŰŲŹŻŽȘȚ"
LOW: Final = "a-zß-öø-ÿāăąćĉċčďđēėęěğģīįıķĺļľłńņňōőœŕŗřśşšţťūůűųźżžșț"
TOKEN: Final = rf"(?:(?:Mc|Mac|O'|O’|D'|De|Di|Van|Von|La|Le)?[{UP}][{LOW}]+(?:[-'’][{UP}]?[{LOW}]+)*|[{UP}]\.)"
PARTICLE: Final = r"(?:(?:van|von|de|der|den|di|da|la|le|bin|al|el) )?"
FULL: Final = rf"{TOKEN}(?:[ ]{{1,2}}{PARTICLE}{TOKEN}){{0,3}}"
LAST_FIRST: Final = rf"{TOKEN}, {TOKEN}(?: {TOKEN})?"
UPPER: Final = rf"[{UP}]{{2,}}(?:[-'][{UP}]+)?,?[ ][{UP}]{{2,}}(?:[ ][{UP}]\.?)?|[{UP}]{{4,}}(?![{LOW}{UP}\d])"
