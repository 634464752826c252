"""Any datatrove filter or formatter as a step: `datatrove: {block: filters.UnigramLogProbFilter, …}`.

Documents are handed over one by one as datatrove's own objects, so this is slower than a column
step; it brings datatrove's ecosystem along.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from filters.step import Batch, Outcome, step
from schemas.errors import WrongCall
from schemas.nearest import nearest


def datatrove_class(block: str) -> Any:
    """The class of datatrove's filter or formatter named by `block`, such as `filters.GopherQualityFilter`."""
    try:
        from datatrove.pipeline.filters.base_filter import BaseFilter
        from datatrove.pipeline.formatters.base import BaseFormatter
    except ImportError as error:
        raise WrongCall(f"step 'datatrove': {error}") from None
    room, _, name = block.rpartition(".")
    room = room or "filters"
    try:
        module = importlib.import_module(f"datatrove.pipeline.{room}")
    except ImportError as error:
        raise WrongCall(f"step 'datatrove': block '{block}': {error}") from None
    found = getattr(module, name, None)
    if not (inspect.isclass(found) and issubclass(found, (BaseFilter, BaseFormatter))):
        blocks = [
            key
            for key, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, (BaseFilter, BaseFormatter))
        ]
        raise WrongCall(f"step 'datatrove': no filter or formatter '{block}'{nearest(name, blocks)}")
    return found


def check_block(parameters: Mapping[str, Any]) -> None:
    """Refuse an unknown block, or parameters that it does not take, without making one: some load a model."""
    own = {name: value for name, value in parameters.items() if name != "block"}
    signature = inspect.signature(datatrove_class(parameters["block"]))
    told = f"step 'datatrove': {parameters['block']}"
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in signature.parameters.values())
    for name in own:
        if name not in signature.parameters and not takes_any:
            raise WrongCall(f"{told} has no parameter '{name}'{nearest(name, signature.parameters)}")
    try:
        signature.bind(**own)
    except TypeError as error:
        raise WrongCall(f"{told}: {error}") from None


def datatrove_block(block: str, parameters: Mapping[str, Any]) -> Any:
    """The block itself; `WrongCall` where datatrove refuses its parameters."""
    try:
        return datatrove_class(block)(**parameters)
    except (TypeError, ValueError) as error:
        raise WrongCall(f"step 'datatrove': {block}: {error}") from None


@step(
    "datatrove",
    check=check_block,
    source="datatrove, https://github.com/huggingface/datatrove",
    example={"block": "filters.UnigramLogProbFilter", "logprobs_threshold": -20},
)
def datatrove(batch: Batch, *, block: str, **parameters: Any) -> Outcome:
    """Run one of datatrove's own filters or formatters, document by document (slower)."""
    from datatrove.data import Document
    from datatrove.pipeline.filters.base_filter import BaseFilter

    instance = datatrove_block(block, parameters)
    reasons: list[str | None] = []
    texts: list[str] = []
    columns = batch.frame.select("id", "text", "title", "source", "uri", "language")
    for row in columns.iter_rows(named=True):
        metadata = {key: value for key, value in row.items() if key not in ("id", "text") and value is not None}
        document = Document(text=row["text"], id=row["id"], metadata=metadata)
        if isinstance(instance, BaseFilter):
            verdict = instance.filter(document)
            kept, reason = verdict if isinstance(verdict, tuple) else (verdict, None)
            reasons.append(None if kept else f"{block}: {reason or 'dropped'}")
        else:
            document.text = instance.format(document.text)
            reasons.append(None)
        texts.append(document.text)
    text = pl.Series("text", texts, dtype=pl.String)
    return Outcome(
        columns={"text": text},
        edits={"text changed": (text != batch.text).cast(pl.Int64).to_numpy().astype(np.int64)},
        reasons=pl.Series("reason", reasons, dtype=pl.String),
    )
