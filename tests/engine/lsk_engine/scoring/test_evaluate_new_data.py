import dataclasses
import json

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.data.fingerprint import StoredFingerprint
from lsk_engine.data.splits import splits_to_score
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import SCHEMA
from lsk_engine.scoring.calibrate import calibrate
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.scoring.evaluate_new_data import evaluate_new
from tiny_task import Letters, TinyTask
from untrained_run import untrained_run

QUIET = Reporter(verbosity=-1)


class OtherLetters(TinyTask):
    """Has other letters, all of them one split, under the name `others`."""

    def load_new(self, config, artifacts):
        data = self.load_data(config, artifacts)
        if config.data.source.endswith("others"):
            data = dataclasses.replace(data, splits=splits_to_score({"train": Letters(30, 7)}))
        return data


TASK = OtherLetters()


@pytest.fixture
def stored(tmp_path):
    return untrained_run(TASK, tmp_path / "run", scale=2.0)


def files(run):
    return {
        file.relative_to(run.path): file.read_bytes()
        for file in run.path.rglob("*")
        if file.is_file() and "new-data" not in file.parts and file.name != ".lock"
    }


def test_new_data_are_scored_and_the_run_does_not_change(stored):
    run, _, config = stored
    evaluate(TASK, config, run, QUIET)
    before = files(run)
    results = evaluate_new(TASK, config, run, QUIET, source="others")
    assert files(run) == before
    folder = run.path / "new-data" / "others"
    assert results["folder"] == str(folder)
    assert json.loads((folder / "metrics.json").read_text()) == json.loads(json.dumps(results))
    assert len(json.loads((folder / "outputs" / "all.json").read_text())) == 30
    assert (folder / "evaluation" / "reliability-all.png").is_file()
    letters = Letters(30, 7)
    model = run.load_model()
    inputs, labels = letters.gather(np.arange(30), 8)
    logits = np.asarray(model.predict_on_batch(inputs), np.float64)
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    counts = labels != 0
    nll = -np.take_along_axis(logp, labels[..., None], -1)[..., 0][counts].mean()
    np.testing.assert_allclose(results["all"]["nll"], nll, rtol=1e-5)
    assert "test" not in results


def test_unigram_smoothing_uses_the_labels_of_the_run(tmp_path):
    run, _, config = untrained_run(TASK, tmp_path / "run", **{"training.smoothing": "unigram"})
    data = TASK.load_data(config)
    run.write_json(run.data_file, {"schema": SCHEMA, **StoredFingerprint.of(data).to_dict()})
    others = dataclasses.replace(data, class_counts=data.class_counts[::-1].copy())
    found = []
    for given in (data, others):
        task = OtherLetters()
        task.load_new = lambda config, artifacts, given=given: dataclasses.replace(
            given, splits=splits_to_score({"train": Letters(30, 7)})
        )
        results = evaluate_new(task, config, run, QUIET, source="others")
        found.append(results["all"]["loss"])
    assert found[0] == found[1]


def test_examples_of_another_shape_are_refused(stored):
    class Wider(Letters):
        def gather(self, rows, size):
            inputs, labels = super().gather(rows, size)
            return {name: np.stack([array] * 2, -1) for name, array in inputs.items()}, labels

    run, _, config = stored
    task = OtherLetters()
    data = task.load_data(config)
    task.load_new = lambda *_: dataclasses.replace(
        data, splits=splits_to_score({"train": Wider(9, 7)})
    )
    with pytest.raises(InputError, match=r"have the shape \(any\), .* \(\d, 2\) in oth"):
        evaluate_new(task, config, run, QUIET, source="others")


def test_training_examples_of_new_data_are_not_read(stored):
    class Unread(Letters):
        def gather(self, rows, size):
            pytest.fail("they are not scored")

    run, _, config = stored
    task = OtherLetters()
    splits = {"train": Unread(9, 7), "test": Letters(9, 8)}
    data = dataclasses.replace(task.load_data(config), splits=splits)
    task.load_new = lambda *_: data
    assert "nll" in evaluate_new(task, config, run, QUIET, source="others")["test"]


def test_results_are_written_inside_the_run(stored, tmp_path, monkeypatch):
    (tmp_path / "others" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "others" / "inner")
    run, _, config = stored
    before = files(run)
    results = evaluate_new(TASK, config, run, QUIET, source="..")
    assert results["folder"] == str(run.path / "new-data" / "others")
    with pytest.raises(InputError, match="can be part of a file's name. Received: .*[.][.]"):
        evaluate_new(TASK, config, run, QUIET, source="..", name="..")
    assert files(run) == before


def test_calibration_on_new_data(stored):
    run, _, config = stored
    results = evaluate_new(TASK, config, run, QUIET, source="others")
    found = results["calibration"]["all"]
    assert found["temperature"] is None
    assert "as_calibrated" not in found
    assert found["raw"]["nll"] == results["all"]["nll"]
    assert found["best"]["nll"] <= found["raw"]["nll"]
    calibrate(TASK, config, run, QUIET)
    found = evaluate_new(TASK, config, run, QUIET, source="others")["calibration"]["all"]
    assert found["temperature"] == run.read_calibration().temperature
    assert found["best"]["nll"] <= found["as_calibrated"]["nll"] < found["raw"]["nll"]


@pytest.mark.slow
def test_other_options_have_another_folder(stored):
    run, _, config = stored
    asked = [{"source": "others"}, {"source": "others", "max_examples": 5}, {"max_examples": 5}]
    folders = [evaluate_new(TASK, config, run, QUIET, **one)["folder"] for one in asked + asked]
    assert folders[:3] == folders[3:]
    assert [folder.rsplit("/", 1)[1] for folder in folders[:3]] == ["others", "others-2", "letters"]
    named = evaluate_new(TASK, config, run, QUIET, source="others", name="mine")
    assert named["folder"].endswith("new-data/mine")


def test_a_limit_is_noted_in_the_results(stored):
    run, _, config = stored
    results = evaluate_new(TASK, config, run, QUIET, source="others", max_examples=5)
    assert "all: a quick look at 5 of 30 examples" in results["notes"]
    assert len(json.loads((run.path / "new-data/others/outputs/all.json").read_text())) == 5


def test_an_unknown_search_setting_is_refused(stored):
    run, _, config = stored
    with pytest.raises(InputError, match="decoding has beam_size. Received: a run of task 'tiny'"):
        evaluate_new(TASK, config, run, QUIET, decoding={"beam_size": "2"})
    assert not (run.path / "new-data").exists()
