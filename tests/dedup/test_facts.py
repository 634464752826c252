"""Near duplicates that assert other things are held apart, those that only say the same otherwise are not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dedup.facts import facts_of, others
from tests.conftest import write_recipe
from tests.pipelines.test_engines import curate

TEXT = (
    "Adults take doxycycline 100 mg twice daily for 7 days. It should not be used in pregnancy. "
    "Children over 8 years weighing 45 kg or more take the same dose, 0.5 g at most."
)
CHINESE = "成人口服阿莫西林每次500毫克，每日三次，疗程7天。青霉素过敏者禁用，孕妇慎用，儿童按体重计算。"


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (TEXT, "100 mg", "200 mg"), (TEXT, "100 mg", "100 mcg"), (TEXT, "7 days", "7 weeks"), (TEXT, "twice", "three times"),
        (TEXT, "doxycycline", "cefalexin"), (TEXT, "should not be", "should be"), (TEXT, "Adults take", "Adults do not take"),
        (TEXT, "pregnancy", "lactation"), (TEXT, "over 8 years", "over 12 years"), (TEXT, "0.5 g", "5 g"),
        (CHINESE, "500毫克", "250毫克"), (CHINESE, "每日三次", "每日两次"), (CHINESE, "阿莫西林", "左氧氟沙星"), (CHINESE, "孕妇", "老年人"),
        (CHINESE, "禁用", "可用"), (CHINESE, "7天", "7周"),
    ],
)  # fmt: skip
def test_one_word_that_matters_is_another_fact(text: str, old: str, new: str) -> None:
    assert others(facts_of(text.replace(old, new)), facts_of(text))


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (TEXT, TEXT.replace("100 mg", "100mg").replace("0.5 g", "500 milligrams")),
        (TEXT, TEXT.replace("twice daily", "two times a day").replace("7 days", "seven days")),
        (TEXT, TEXT.replace("Children", "Paediatric patients").replace("should not", "must not")),
        (TEXT, f"Revised: 03/2024\nNDC 0093-3147-01\n1. {TEXT}\n© 2024 Example Works. Tel. 555-0100\nPage 3 of 60"),
        (TEXT, TEXT.replace(". ", ".\n- ")),
        (TEXT, TEXT.partition(". It")[0]),
        (CHINESE, CHINESE.replace("500毫克", "0.5克").replace("每日三次", "每天3次")),
        (CHINESE, f"核准日期：2024年3月\n批准文号：国药准字H12345678\n{CHINESE}"),
    ],
)
def test_other_words_layout_and_boilerplate_are_no_facts(text: str, changed: str) -> None:
    assert others(facts_of(changed), facts_of(text)) == []


RECIPE = """
name: facts
sources: [{name: labels, files: "*.txt", source_type: drug_label}]
steps: [normalise]
dedup: {exact: true, minhash: {ngram: 5, bands: 14, rows: 8, keep_facts: KEEP}}
tokenizer: {train: {vocab_size: 300}}
mixtures: {all: {components: [{name: all}]}}
"""


@pytest.mark.parametrize(
    ("keep", "stay"), [("true", {"a.txt", "b.txt", "c.txt"}), ("[guideline]", {"a.txt"}), ("false", {"a.txt"})]
)
def test_labels_of_one_template_stay_where_a_recipe_says_so(tmp_path: Path, keep: str, stay: set[str]) -> None:
    template = " ".join(
        f"Step {chr(97 + n % 26)} of the leaflet that every label of this template shares." for n in range(40)
    )
    files = {
        "a": f"{template} Doxycycline 100 mg twice daily, and the longest of them, with nothing else to be said.",
        "b": f"{template} Cefalexin 100 mg twice daily.",
        "c": f"{template} Doxycycline 250 mg twice daily.",
        "d": f"{template} Doxycycline 100mg two times a day.",
        "e": f"{template} Cefalexin 100 mg twice a day.",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text)
    recipe = write_recipe(tmp_path, RECIPE.replace("KEEP", keep))
    assert curate("run", recipe, "--data", tmp_path, "--run-dir", tmp_path / "run").returncode == 0
    rows = pl.read_parquet(tmp_path / "run" / "curated" / "*.parquet")
    assert set(rows["uri"]) == stay
    if keep == "true":
        (why,) = rows.filter(pl.col("uri") == "b.txt")["drop_reason"]
        assert why.startswith("held apart from its near duplicate ")
        assert "cefalexin" in why
