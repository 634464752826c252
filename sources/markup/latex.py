"""Inline LaTeX as OCR tools write it (`$3 9 . 9 \\%$`) to plain text, where plain text can say it.

Only what is certain is rewritten: digits that were set apart, units in roman type, common signs,
simple powers and indices. A formula that needs more keeps its LaTeX, with its digits joined.
"""

from __future__ import annotations

import re
from typing import Final

# As in pandoc: no space inside the dollars, no digit after them, so that prices are no formulas.
INLINE: Final = re.compile(r"\$(?=\S)([^$\n]{1,300}?)(?<=\S)\$(?!\d)")
ROMAN: Final = re.compile(
    r"\\(?:mathrm|text|textrm|mathsf|mathbf|mathit|textit|textbf|rm|bf|operatorname)\s*\*?\s*\{([^{}]*)\}"
)
SIGNS: Final = {
    r"\sim": "~", r"\%": "%", r"\times": "×", r"\pm": "±", r"\leq": "≤", r"\le": "≤", r"\geq": "≥", r"\ge": "≥",
    r"\leqslant": "≤", r"\geqslant": "≥", r"\mu": "μ", r"\alpha": "α", r"\beta": "β", r"\gamma": "γ", r"\delta": "δ",
    r"\Delta": "Δ", r"\chi": "χ", r"\kappa": "κ", r"\lambda": "λ", r"\sigma": "σ", r"\omega": "ω", r"\approx": "≈",
    r"\cdot": "·", r"\circ": "°", r"\to": "→", r"\rightarrow": "→", r"\uparrow": "↑", r"\downarrow": "↓", r"\neq": "≠",
    r"\ne": "≠", r"\div": "÷", r"\epsilon": "ε", r"\theta": "θ", r"\pi": "π", r"\rho": "ρ", r"\tau": "τ", r"\eta": "η",
    r"\ ": " ", r"\,": " ", r"\;": " ", r"\:": " ", r"\!": "", r"\quad": " ", r"\left": "", r"\right": "", r"\&": "&",
    r"\_": "_", r"\#": "#", r"\prime": "'", r"\degree": "°", r"\colon": ":", r"\textmu": "μ", r"\ldots": "…",
    r"\scriptstyle": "", r"\displaystyle": "", r"\boldsymbol": "", r"\mathit": "", r"\textstyle": "",
    r"\bf": "", r"\rm": "", r"\it": "", r"\sf": "",
}  # fmt: skip
COMMAND: Final = re.compile(r"\\(?:[A-Za-z]+|.)")


def plain_math(text: str) -> str:
    """The text with each inline formula in plain characters where that loses nothing."""
    return INLINE.sub(lambda match: _plain(match.group(1), match.group(0)), text)


def _plain(formula: str, whole: str) -> str:
    plain = formula.replace("~", " ")
    for _ in range(2):
        plain = ROMAN.sub(lambda match: _roman(match.group(1)), plain)
    plain = COMMAND.sub(lambda match: SIGNS.get(match.group(0), match.group(0)), plain)
    plain = re.sub(r"\s*\^\s*\{\s*°\s*\}|\s*\^\s*°", "°", plain)
    plain = re.sub(r"\s*([\^_])\s*\{\s*([^{}]*?)\s*\}", lambda m: m.group(1) + _group(m.group(2)), plain)
    plain = re.sub(r"\{\s*([^{}]*?)\s*\}", r"\1", plain)
    plain = _digits(plain)
    if re.search(r"[\\{}&]", plain):
        return f"${_digits(formula).strip()}$"
    plain = re.sub(r"\s*([~×±≤≥<>=≈])\s*", r"\1" if len(plain) < 24 else r" \1 ", plain)
    plain = re.sub(r"\s+(%)", r"\1", plain)
    return re.sub(r"\s+", " ", plain).strip() or whole


def _roman(text: str) -> str:
    """Roman type without the spaces that the tool put between letters."""
    words = text.split()
    if words and sum(len(word) <= 2 for word in words) > 0.7 * len(words):
        return "".join(words)
    return " ".join(words)


def _group(text: str) -> str:
    text = text.replace(" ", "") if len(text) < 12 else text
    return text if re.fullmatch(r"[\w+\-−.°']*", text) else f"({text})"


def _digits(text: str) -> str:
    for _ in range(2):
        text = re.sub(r"(?<=\d)\s+(?=\d)", "", text)
        text = re.sub(r"(?<=\d)\s*([.])\s*(?=\d)", r"\1", text)
    return text
