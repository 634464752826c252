"""What each worker of a run needs, loaded once by the process that they are forked from: steps, readers, kernels.

Nothing here may start a thread, which a fork would leave behind: no polars, no tokenizer is called.
"""

from __future__ import annotations

import gc

import numpy as np

import pipelines.tasks  # noqa: F401
from filters.step import STEPS
from pipelines.stage import STAGES
from sources.formats import FORMATS
from textcolumns.characters import character_classes, folded_characters
from textcolumns.segment import segment_lines, segment_units

for registry in (STAGES, STEPS, FORMATS):
    registry.names()  # imports the modules of all entries

_text = np.frombuffer(b"a", np.uint8)
_bounds = np.array([0, 1], np.int64)
segment_units(_text, _bounds, character_classes(), folded_characters())
segment_lines(_text, _bounds, character_classes(), np.zeros(len(character_classes()), np.uint8))

# A collection in a worker would write into each of these objects, and so copy the memory that all of them share.
gc.collect()
gc.freeze()
