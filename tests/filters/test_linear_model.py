"""The linear classifier: features by hand, training in folds, what the bundled model says, a look at pages."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from curate.cli import main
from filters.classifier_model import classifier_folder, load_classifier
from filters.glance import glancer
from schemas.errors import WrongCall
from schemas.recipe import Glance
from sources.pages.glanced import glanced_text
from textcolumns.columns import TextColumn
from textcolumns.ngrams import ngram_dots, ngram_rows

SICK = "The patient was admitted with pneumonia and given antibiotics; fever fell on the third day."
STARS = "The galaxy cluster shows a redshift of 0.3, and its dark matter halo bends the light behind it."


def column(*texts: str) -> TextColumn:
    return TextColumn(pl.Series("text", list(texts), dtype=pl.String))


def test_rows_have_length_one_and_the_values_of_damped_counts() -> None:
    columns, values, bounds = ngram_rows(column("abab", "", "药"), 100, 18)
    first = slice(bounds[0], bounds[1])
    # a, b, ab, ba, aba, bab, abab; the word abab, and it behind nothing
    grams = Counter(["a", "b", "ab", "ba", "aba", "bab", "abab", "b", "a", "ab"]) + Counter(["word", "pair"])
    raw = np.array([1 + math.log(count) for count in grams.values()])
    assert len(set(columns[first])) == len(grams)
    assert np.allclose(sorted(values[first]), sorted(raw / np.linalg.norm(raw)), atol=1e-6)
    assert bounds[2] - bounds[1] == 0
    assert bounds[3] - bounds[2] == 1


def test_dots_are_those_of_the_sparse_rows_whatever_stands_beside() -> None:
    weights = np.random.default_rng(0).normal(size=1 << 12).astype(np.float32)
    texts = [SICK, STARS, "", "血常规：WBC 12.3", "x" * 9000]
    columns, values, bounds = ngram_rows(column(*texts), 3000, 12)
    by_rows = [float(values[a:b] @ weights[columns[a:b]]) for a, b in itertools.pairwise(bounds)]
    together = ngram_dots(column(*texts), 3000, weights)
    assert np.allclose(together, by_rows, atol=1e-5)
    assert together.tolist() == [float(ngram_dots(column(one), 3000, weights)[0]) for one in texts]


def test_the_bundled_model_tells_medicine_from_its_neighbours() -> None:
    model = load_classifier("medicine")
    yes = [
        SICK, "目的 探讨剖宫产瘢痕妊娠的治疗方法及临床效果。方法 回顾性分析我院收治的患者四十例，随机分为两组。",
        "Depressive symptoms in adolescents with schizophrenia: a randomised trial of cognitive therapy in a psychiatric clinic.",
        "护理干预对老年糖尿病患者血糖控制和生活质量的影响",
    ]  # fmt: skip
    no = [
        STARS, "饲粮中添加酵母培养物对断奶仔猪生长性能、腹泻率和肠道菌群的影响。选取健康断奶仔猪一百二十头。",
        "基于改进粒子群算法的机场停机位分配模型研究", "Soil moisture and maize yield under plastic mulch in arid fields of Xinjiang.",
    ]  # fmt: skip
    scores = model.scores(column(*yes, *no))
    assert (scores[: len(yes)] >= model.threshold).all(), scores
    assert (scores[len(yes) :] < model.threshold).all(), scores
    assert np.allclose(model.scores(column(SICK), "no"), 1 - scores[:1])


def test_a_bundled_model_is_what_its_card_says(tmp_path: Path) -> None:
    for name in ("medicine", "quality"):
        card = json.loads((classifier_folder(name) / "card.json").read_text())
        assert card["near_threshold"] == card["disagreements"] == [], "no excerpt of a document comes with the package"
        assert card["validation"]["documents"] > 1000
    folder = tmp_path / "medicine"
    folder.mkdir()
    (folder / "card.json").write_bytes((classifier_folder("medicine") / "card.json").read_bytes())
    (folder / "model.bin").write_bytes((classifier_folder("medicine") / "model.bin").read_bytes()[:-2])
    with pytest.raises(WrongCall, match="damaged or not the model of its card"):
        load_classifier(str(folder))


def rows(folder: Path, count: int = 40) -> Path:
    """Labelled rows whose labels follow the subject, two of them wrong."""
    path = folder / "rows.jsonl"
    told = []
    for number in range(count):
        sick = number % 2 == 0
        wrong = number in (4, 7)
        words = f"{SICK if sick else STARS} Case {number * 7919 % 104729} of ward {chr(97 + number % 26)}."
        told.append(
            {"text": words, "label": ("other" if sick else "medicine") if wrong else ("medicine" if sick else "other")}
        )
    path.write_text("\n".join(map(json.dumps, told)))
    return path


def test_training_chooses_by_documents_out_of_fold_and_shows_wrong_labels(tmp_path: Path) -> None:
    called = [
        "classifier", "train", str(rows(tmp_path)), "--labels", "label", "--positive", "medicine",
        "--to", str(tmp_path / "model"), "--scores", str(tmp_path / "scores.csv"), "--json",
    ]  # fmt: skip
    done = CliRunner().invoke(main, called)
    assert done.exit_code == 0, done.output
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    scores = pl.read_csv(tmp_path / "scores.csv")
    said = (scores["score"] >= card["threshold"]) == (scores["label"] == "medicine")
    assert scores.columns == ["id", "uri", "source", "label", "score"]
    assert said.mean() == pytest.approx(card["validation"]["accuracy"]["value"], abs=0.002)
    assert card["kind"] == "ngrams"
    assert card["validation"]["accuracy"]["value"] >= 0.9
    wrong = {one["uri"].rpartition("#")[2] for one in card["disagreements"]}
    assert wrong >= {"5", "8"}, "the two rows whose labels are wrong are the ones to look at"
    first = (tmp_path / "model" / "model.bin").read_bytes()
    assert CliRunner().invoke(main, called).exit_code == 0
    assert (tmp_path / "model" / "model.bin").read_bytes() == first


PAGE = "<html><head><title>{title}</title><script>var galaxy = 'matter';</script></head><body><nav>Home Shop News</nav><p>{words}</p></body></html>"


def test_a_glance_leaves_out_other_languages_and_subjects_and_says_so() -> None:
    look = glancer(Glance(languages=["en", "zh"], model="medicine", floor=0.2))
    sick = glanced_text(PAGE.format(title="Pneumonia", words=" ".join([SICK] * 4)).encode())
    assert "Home Shop" not in sick
    assert "galaxy" not in sick
    assert look(sick) is None
    stars = look(glanced_text(PAGE.format(title="Stars", words=" ".join([STARS] * 4)).encode()))
    assert stars is not None
    assert "medicine=" in stars
    german = "Der Verein hat am Sonntag das Spiel verloren und steigt damit in die zweite Liga ab. "
    said = look(glanced_text(PAGE.format(title="Sport", words=german * 4).encode()))
    assert said == "at a glance: language=de, not en, zh"
    assert look("too short to tell") is None
