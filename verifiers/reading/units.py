"""Units as people write them, in either language, converted by pint."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

_ALIASES: Final = {
    "毫克": "mg", "微克": "ug", "千克": "kg", "公斤": "kg", "克": "g", "纳克": "ng", "毫升": "mL", "微升": "uL", "升": "L", "分升": "dL",
    "小时": "hour", "分钟": "minute", "秒": "second", "天": "day", "日": "day", "周": "week", "月": "month", "年": "year", "岁": "year",
    "厘米": "cm", "毫米": "mm", "米": "m", "平方米": "m^2", "毫米汞柱": "mmHg", "毫摩尔": "mmol", "微摩尔": "umol", "摩尔": "mol",
    "毫当量": "meq", "单位": "iu", "国际单位": "iu", "摄氏": "degC", "degc": "degC", "degf": "degF", "celsius": "degC", "fahrenheit": "degF", "kelvin": "kelvin", "degrees celsius": "degC", "degrees fahrenheit": "degF", "mm hg": "mmHg", "cm h2o": "cmH2O", "摄氏度": "degC", "华氏度": "degF", "℃": "degC", "°c": "degC", "°f": "degF", "℉": "degF",
    "斤": "jin", "磅": "lb", "次": "count", "分": "points", "千卡": "kcal", "百分": "%",
    "mcg": "ug", "µg": "ug", "μg": "ug", "microgram": "ug", "micrograms": "ug", "milligram": "mg", "milligrams": "mg", "gram": "g", "grams": "g", "gm": "g", "gms": "g",
    "kilogram": "kg", "kilograms": "kg", "kilo": "kg", "kilos": "kg", "kgs": "kg", "ng": "ng", "nanogram": "ng", "nanograms": "ng",
    "ml": "mL", "mls": "mL", "cc": "mL", "millilitre": "mL", "millilitres": "mL", "milliliter": "mL", "milliliters": "mL", "l": "L", "litre": "L", "litres": "L", "liter": "L", "liters": "L",
    "dl": "dL", "cl": "cL", "µl": "uL", "μl": "uL", "ul": "uL", "h": "hour", "hr": "hour", "hrs": "hour", "hours": "hour", "hour": "hour", "minute": "minute", "second": "second", "day": "day", "week": "week", "year": "year", "min": "minute", "mins": "minute", "minutes": "minute",
    "s": "second", "sec": "second", "secs": "second", "seconds": "second", "d": "day", "days": "day", "wk": "week", "wks": "week", "weeks": "week", "month": "month", "months": "month",
    "yr": "year", "yrs": "year", "years": "year", "lb": "lb", "lbs": "lb", "pound": "lb", "pounds": "lb", "oz": "oz", "ounce": "oz", "ounces": "oz",
    "in": "inch", "inch": "inch", "inches": "inch", "ft": "foot", "feet": "foot", "foot": "foot", "cm": "cm", "mm": "mm", "m": "m", "metre": "m", "metres": "m", "meter": "m", "meters": "m",
    "mmhg": "mmHg", "kpa": "kPa", "mmol": "mmol", "µmol": "umol", "μmol": "umol", "umol": "umol", "mol": "mol", "meq": "meq", "mosm": "mosm", "mosmol": "mosm",
    "iu": "iu", "u": "iu", "unit": "iu", "units": "iu", "kcal": "kcal", "kj": "kJ", "cal": "cal", "msec": "ms", "ms": "ms", "millisecond": "ms", "milliseconds": "ms", "bpm": "1/minute", "beats": "count",
    "points": "points", "point": "points", "pts": "points", "percent": "%", "%": "%", "per cent": "%", "％": "%", "‰": "permille", "mg": "mg", "g": "g", "kg": "kg", "cmh2o": "cmH2O",
}  # fmt: skip
_POWERS: Final = str.maketrans({"²": "2", "³": "3", "⁻": "-", "¹": "1"})
_NAMES: Final = "|".join(sorted((re.escape(one) for one in _ALIASES), key=len, reverse=True))
_ONE: Final = rf"(?:{_NAMES})(?:\s?(?:\^|\*\*)\s?-?\d|[²³]|⁻[¹²³]|-[12](?!\d)|[23](?![\d]))?"
UNIT: Final = re.compile(
    rf"\s*((?:%|％|‰)|{_ONE}(?![a-zA-Z])(?:\s*/\s*\(\s*{_ONE}\s*[·*/]\s*{_ONE}\s*\)|\s*(?:/|每|\bper\b|·|\*|\s(?=kg|min|mL|(?:m|s|h|d|L)\s?(?:\^|\*\*)?\s?[-⁻]))\s*(?:1\.73\s*)?{_ONE}(?![a-zA-Z])|/)*)",
    re.IGNORECASE,
)
COUNTS: Final = frozenset({"points", "count"})


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    registry = pint.UnitRegistry()
    for line in (
        "iu = [biological_activity]",
        "meq = [equivalents]",
        "mosm = [osmoles]",
        "permille = 0.001",
        "jin = 0.5 kilogram",
        "points = [score]",
    ):
        registry.define(line)
    return registry


@lru_cache(maxsize=4096)
def unit_of(written: str) -> Any:
    """A pint unit, or None for words that are none."""
    text = re.sub(r"/?\s*1\.73\s*m\s*\^?\s*[2²]", "", written).strip()
    text = re.sub(r"(?i)\b(mm|cm)\s+(hg|h2o)\b", r"\1\2", text)
    text = re.sub(r"/\s*\(\s*([^()]+?)\s*[·*/]\s*([^()]+?)\s*\)", r"/\1/\2", text)
    text = re.sub(r"per\s?cent|百分之?", "%", text, flags=re.IGNORECASE)
    text = re.sub(r"每|\bper\b", "/", text, flags=re.IGNORECASE)
    whole = _ALIASES.get(text.casefold())
    pieces = [text] if whole else re.split(r"\s*(/|·|\*(?!\*)|\s)\s*", text)
    told = []
    for piece in pieces:
        if piece in ("/", "·", "*") or not piece.strip():
            told.append("/" if piece == "/" else "*")
            continue
        base = re.match(r"(.+?)((?:\^|\*\*)?\s?[-⁻]?[\d¹²³])?$", piece)
        assert base is not None
        name = _ALIASES.get(base[1].strip().casefold())
        if base[1].strip() == "分" and told and told[-1] == "/":
            name = "minute"
        if name is None:
            return None
        power = (base[2] or "").translate(_POWERS).replace("**", "").replace("^", "").strip()
        told.append(f"({name})**({power})" if power else f"({name})" if name != "%" else "percent")
    joined = "".join(told).strip("*/")
    if not joined:
        return None
    try:
        return _registry().parse_units(joined) if not joined.startswith("(1/") else _registry().parse_units("1/minute")
    except Exception:  # pint has a class of errors for each way of not being a unit
        return None


def converted(value: float, unit: str, wanted: str) -> float | None:
    """A value in the wanted unit; without a unit it is taken to be in it; None where the units do not fit."""
    if not unit.strip():
        return value
    if unit.strip().casefold() == wanted.strip().casefold():
        return value
    mine, theirs = unit_of(unit), unit_of(wanted) if wanted.strip() else None
    if theirs is None:
        counted = _ALIASES.get(unit.strip().casefold(), "")
        if counted in ("%", "permille") and not wanted.strip():
            return value / (100 if counted == "%" else 1000)
        return value if counted in COUNTS or (not wanted.strip() and counted != "%") or mine is None else None
    if mine is None:
        return None
    counted = _ALIASES.get(unit.strip().casefold(), "")
    if counted in COUNTS and _ALIASES.get(wanted.strip().casefold(), "") in COUNTS:
        return value
    try:
        return float(_registry().Quantity(value, mine).to(theirs).magnitude)
    except Exception:
        return None
