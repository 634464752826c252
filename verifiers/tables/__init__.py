"""Names of diseases and drugs in both languages, and how a user's own tables are read beside ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.errors import WrongCall

_SPELLINGS: Final = (
    ("oesoph", "esoph"), ("oedema", "edema"), ("aemi", "emi"), ("haem", "hem"), ("ischaem", "ischem"), ("leukaem", "leukem"), ("anaem", "anem"),
    ("diarrhoea", "diarrhea"), ("tumour", "tumor"), ("coeliac", "celiac"), ("praevia", "previa"), ("goitre", "goiter"), ("paediatric", "pediatric"),
    ("caecum", "cecum"), ("faecal", "fecal"), ("orrhoea", "orrhea"), ("generalised", "generalized"), ("fibre", "fiber"), ("oestr", "estr"), ("foet", "fet"), ("sulph", "sulf"), ("myxoedema", "myxedema"),
)  # fmt: skip
_own: dict[str, dict[str, Any]] = {"diagnoses": {}, "drugs": {}}


def american(text: str) -> str:
    """One spelling for both: British forms as American ones, in lower case."""
    text = text.casefold()
    for british, told in _SPELLINGS:
        text = text.replace(british, told)
    return text


def spelled(text: str) -> str:
    """A name to compare: one spelling, possessives and marks gone, words apart by one blank."""
    text = american(text).replace("'s ", " ").replace("’s ", " ").replace("s' ", "s ")
    return " ".join(re.findall(r"[a-zà-ÿ0-9ⅠⅡⅢⅣ]+|[\u3400-\u9fff]", text))


def table(name: str) -> Mapping[str, Any]:
    """One of our tables with the user's entries beside it."""
    ours: dict[str, Any] = YAML(typ="safe", pure=True).load(
        (Path(str(files("verifiers.tables"))) / f"{name}.yaml").read_text(encoding="utf-8")
    )
    return {key: [*ours.get(key, []), *_own[name].get(key, [])] for key in [*ours, *_own[name]]}


def extend(file: Path) -> None:
    """Read a user's table, `diagnoses:` and `drugs:` with lists of names; theirs stand beside ours.

    Raises:
        WrongCall: where the file is none of that form.
    """
    try:
        told = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise WrongCall(f"{file} is no table: {error}") from None
    if not isinstance(told, dict) or set(told) - set(_own):
        raise WrongCall(f"{file}: a table has the keys diagnoses and drugs, each with lists of names by code or drug")
    for kind, entries in told.items():
        for key, names in (entries or {}).items():
            if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
                raise WrongCall(f"{file}: {kind}, {key}: a list of names is wanted")
            _own[kind].setdefault(str(key), []).extend(names)
    from verifiers.reading import diseases, drugs

    diseases.lexicon.cache_clear()
    drugs.lexicon.cache_clear()
