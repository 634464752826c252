"""The tokens of an assistant's answers, from all before them: the objective of instruction tuning and SFT.

What is learned of a conversation (every answer, or the last) is said by `data.loss`, and stands in
the mask of its pack; the loss is that of `next_token` under that mask.
"""

from __future__ import annotations

from trainers.objectives.next_token import NextToken
from trainers.objectives.objective import objective


@objective("answer_tokens")
class AnswerTokens(NextToken):
    """Cross-entropy of the answers' tokens; documents of a replay are learned whole."""
