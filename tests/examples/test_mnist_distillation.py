import importlib.util
import json
import struct
import sys
from pathlib import Path

import finished_runs
import numpy as np
import pytest

from lsk.main import cli

EXAMPLE = Path(__file__).parents[2] / "examples" / "mnist_distillation.py"
NETWORKS = (
    "hard",
    "student-of-hard",
    "smoothed",
    "student-of-smoothed",
    "student-alone",
)


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("mnist_distillation", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def images(tmp_path):
    """A folder of idx files: four brightnesses as classes."""
    folder = tmp_path / "idx"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for prefix, n in {"train": 60, "t10k": 20}.items():
        labels = np.arange(n, dtype=np.uint8) % 4
        pixels = (60 * labels[:, None, None] + rng.integers(0, 60, (n, 6, 6))).astype(np.uint8)
        for kind, values in {"images": pixels, "labels": labels}.items():
            header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
            file = folder / f"{prefix}-{kind}-idx{values.ndim}-ubyte"
            file.write_bytes(header + values.tobytes())
    return folder


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_sequence_runs_and_its_table_is_the_runs(
    example, tmp_path, images, monkeypatch, capsys
):
    """In this process: five of their own would take half a minute to start."""
    called = []

    def lsk(*arguments):
        called.append(arguments)
        cli.main([*arguments, "-q", "--json"], standalone_mode=False)

    monkeypatch.setattr(finished_runs, "lsk", lsk)
    out = tmp_path / "out"
    small = ("--steps=3", "--set=model.width=8", "--set=data.validation=10", "--set=data.shift=0")
    command = [EXAMPLE, "--data", images, "--out", out, "--seeds", 0, "--", *small]
    monkeypatch.setattr("sys.argv", [str(part) for part in command])
    example.main()
    assert len(called) == len(NETWORKS)
    assert capsys.readouterr().out.endswith((out / "mnist-test.md").read_text())
    metrics = {
        name: json.loads((out / f"{name}-seed0" / "metrics.json").read_text()) for name in NETWORKS
    }
    rows = {row["what"]: row for row in json.loads((out / "mnist-test.json").read_text())}
    error = {name: metrics[name]["test"]["top_1_error"] for name in NETWORKS}
    assert rows["teacher, hard"]["mean"] == pytest.approx(error["hard"])
    assert rows["student alone"]["mean"] == pytest.approx(error["student-alone"])
    transfer = error["student-of-smoothed"] - error["smoothed"]
    assert rows["loss in transfer, smoothed"]["mean"] == pytest.approx(transfer)
    assert rows["students: of smoothed − of hard"]["paper"] == pytest.approx(0.17)
    taught = metrics["student-of-smoothed"]["distillation"]
    assert taught["teacher"] == str((out / "smoothed-seed0").absolute())
    assert (taught["loss"], taught["beta"]) == ("squared-logits", 0.6)
    assert metrics["smoothed"]["alpha"] == 0.1
    (out / "student-alone-seed0" / "metrics.json").unlink()
    example.main()
    assert called[len(NETWORKS) :] == [("train", "--resume", str(out / "student-alone-seed0"))]
    assert {row["what"]: row for row in json.loads((out / "mnist-test.json").read_text())} == rows
    monkeypatch.setattr("sys.argv", [*sys.argv[:1], "--split", "validation", *sys.argv[1:]])
    example.main()
    of_validation = json.loads((out / "mnist-validation.json").read_text())
    error = metrics["hard"]["validation"]["top_1_error"]
    assert of_validation[0]["mean"] == pytest.approx(error)


def test_the_standard_error_is_of_seeds_and_of_images(example):
    """Means of seeds × images with random effects of both scatter as it says."""
    rng = np.random.default_rng(0)

    def draw():
        seeds, images = rng.normal(0, 0.3, (4, 1)), rng.normal(0, 1, (1, 60))
        return seeds + images + rng.normal(0, 0.5, (4, 60))

    drawn = [draw() for _ in range(3000)]
    scatter = np.std([values.mean() for values in drawn])
    variances = [example.standard_error(values) ** 2 for values in drawn]
    assert np.sqrt(np.mean(variances)) == pytest.approx(scatter, rel=0.05)


def test_with_one_seed_it_is_that_of_the_images(example):
    values = np.array([[0.0, 1.0, 1.0, 0.0, 0.0]])
    assert example.standard_error(values) == pytest.approx(np.std(values, ddof=1) / 5**0.5)
