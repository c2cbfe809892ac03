import csv
import json

import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from ls_keras.representation import cluster_statistics, mean_logits, penultimate, templates
from lsk_engine.progress import Reporter
from lsk_engine.scoring.project import complete_classes, project_runs, summary_rows
from tiny_points import TinyPoints
from tiny_task import TinyTask
from untrained_run import untrained_run

pytestmark = pytest.mark.tensorflow
QUIET = Reporter(verbosity=-1)


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    return [
        untrained_run(TinyPoints(), folder / f"alpha{alpha}", **{"training.alpha": alpha})
        for alpha in (0.0, 0.1)
    ]


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    return untrained_run(TinyTask(), tmp_path_factory.mktemp("letters") / "run")


def test_two_runs_make_the_papers_row(points, tmp_path):
    output = tmp_path / "row-0.1"
    results = project_runs(points, QUIET, output, classes=("red", "blue", "1"), per_class=5)
    files = ("row-0.1.png", "row-0.1.csv", "row-0.1.json", "row-0.1-logits.png")
    assert all((tmp_path / name).stat().st_size for name in files)
    assert json.loads((tmp_path / "row-0.1-statistics.json").read_text()) == results
    rows = list(csv.DictReader((tmp_path / "row-0.1.csv").read_text().splitlines()))
    panels = ["α = 0, train", "α = 0, validation", "α = 0.1, train", "α = 0.1, validation"]
    assert list(dict.fromkeys(row["panel"] for row in rows)) == panels
    assert len(rows) == 4 * (3 + 3 * 5)
    assert {row["name"] for row in rows} == {"red", "blue", "green"}
    assert [entry["alpha"] for entry in results["runs"]] == [0.0, 0.1]
    names = [row["run"] for row in summary_rows(results)]
    assert names == ["α = 0", "α = 0", "α = 0.1", "α = 0.1"]
    statistics_are_those_of_the_whole_split(results["runs"][1]["validation"], points[1])


def statistics_are_those_of_the_whole_split(entry, run):
    model = run.directory.load_model()
    examples = run.task.load_data(run.config).splits["validation"]
    inputs, y = examples.gather(np.arange(60), None)
    x = penultimate(model).predict(inputs, verbose=0)
    clusters = cluster_statistics(y, x, templates(model))
    assert entry["examples"] == 60
    for name, value in clusters.summary().items():
        assert entry["clusters"][name] == pytest.approx(value, rel=1e-4)
    in_span = cluster_statistics(y, x, templates(model), in_span=True).summary()
    assert entry["in_span"] == pytest.approx(in_span, rel=1e-3)
    logits = model.predict(inputs, verbose=0)
    assert entry["similarity"] == pytest.approx(mean_logits(y, logits).structure(), rel=1e-4)
    p = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    own = p[y == 2, 2]
    row = entry["classes"][2]
    assert row["name"] == "blue"
    assert row["confidence"] == pytest.approx(own.mean(), rel=1e-4)
    assert row["confidence_spread"] == pytest.approx(own.std(), rel=1e-3)
    assert row["count"] == (y == 2).sum()


def test_a_limit_reduces_the_examples_of_each_split(points, tmp_path):
    results = project_runs(points[:1], QUIET, tmp_path / "p.png", nearest="red", limit=60)
    entry = results["runs"][0]
    # 90 examples make five batches of 16 and one of 10, and four batches are drawn.
    assert entry["train"]["examples"] in (58, 64)
    assert len(entry["train"]["classes"]) == 4
    assert entry["validation"]["examples"] == 60


def test_tokens_of_sequences_are_classes(letters, tmp_path):
    results = project_runs([letters], QUIET, tmp_path / "p.png", nearest="a", split="test")
    entry = results["runs"][0]
    labels = TinyTask().load_data(letters.config).splits["test"].labels
    assert entry["test"]["examples"] == (labels > 0).sum()  # padding does not count
    assert entry["names"][0] == "a"
    assert "" not in entry["names"]
    assert {row["class"] for row in entry["test"]["classes"]} <= {1, 2, 3, 4, 5}
    rows = json.loads((tmp_path / "p-logits.json").read_text())
    assert {row["class"] for row in rows} == set("abcde")


def test_nearest_classes_complete_the_three(points):
    data = points[0].task.load_data(points[0].config)
    w = np.array([[0.0, 1.0, 5.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    assert complete_classes(w, data, "red", ()) == (0, 1, 3)
    assert complete_classes(w, data, "red", (2,)) == (0, 1, 2)
    assert complete_classes(w, data, "red", (1,)) == (0, 3, 1)
    assert complete_classes(w, data, "red", (2, 3)) == (0, 2, 3)
    with pytest.raises(InputError, match="Received: red"):
        complete_classes(w, data, "red", (0,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ("red", "blue")}, r"Received: 2 \(red, blue\)"),
        ({"nearest": "red", "limit": 0}, "limit of at least 1"),
        ({}, r"three classes \(--classes A,B,C\), .* Received: none, and the run has \d classes"),
        ({"classes": ("red", "blue", "pink")}, "'pink'"),
        ({"classes": ("red", "blue", "0")}, "different classes"),
        ({"nearest": "red", "split": "train"}, "validation, test"),
        ({"nearest": "red", "split": "held-out"}, "'held-out'"),
    ],
)
def test_invalid_options_are_refused(points, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        project_runs(points[:1], QUIET, tmp_path / "p.png", **options)
    assert not list(tmp_path.iterdir())


def test_incompatible_runs_are_refused(points, letters, tmp_path):
    with pytest.raises(InputError, match="different runs"):
        project_runs([points[0], points[0]], QUIET, tmp_path / "p.png", nearest="red")
    with pytest.raises(InputError, match="same classes"):
        project_runs([points[0], letters], QUIET, tmp_path / "p.png", nearest="red")
