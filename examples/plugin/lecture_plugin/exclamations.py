"""A step: texts that shout."""

from filters.step import Batch, Outcome, Rule, first_failures, step


@step("exclamations", scores=("exclamations",), example={"max_share": 0.02})
def exclamations(batch: Batch, *, max_share: float = 0.01) -> Outcome:
    """Drop texts of which too many characters are exclamation marks."""
    share = (batch.text.str.count_matches("[!！]") / batch.text.str.len_chars()).to_numpy()
    scores = {"exclamations": share}
    return Outcome(
        scores, reasons=first_failures(scores, [Rule("exclamations", "above", max_share, "max_share")], len(batch))
    )
