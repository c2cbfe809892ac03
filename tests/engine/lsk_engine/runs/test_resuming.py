import dataclasses
import datetime
import os

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.runs.resuming import (
    apply_changes,
    check_resumption,
    record_resumption,
    seconds_before,
)
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config, restore_config
from tiny_task import DataConfig, TinyTask

NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def run(tmp_path):
    config = resolve_config(TinyTask(), None, {})
    return RunDirectory.create(tmp_path / "run", config.to_dict())


def config_of(run):
    return restore_config(TinyTask(), run.read_config())


def test_another_learning_rate_is_recorded(run):
    config = apply_changes(config_of(run), {"optimizer.learning_rate": "0.003"})
    assert config.optimizer.learning_rate == 0.003
    record_resumption(TinyTask(), config, run)
    assert config_of(run) == config
    first, second = run.read_starts()
    assert "resumed" not in first
    assert second["resumed"] is True
    assert second["changed"] == {"optimizer.learning_rate": [0.01, 0.003]}


OF_THE_MODEL = (
    *("model.keras", "metrics.json", "outputs/test.json", "outputs/a[b].json"),
    *("model-calibrated.keras", "calibration.json", "metrics-calibrated.json"),
    *("new-data/other/metrics.json", "new-data/other/evaluation/reliability-all.png"),
    *("test-temperature-sweep.json", "temperature-sweep.png", "temperature-sweep.csv"),
    *("projection.png", "projection-statistics.json", "measured-tightness.json"),
    *("equivalent-smoothing.json", "reliability-test.png", "reliability-a[b].json"),
    *("statistics-test.npz", "references-test.json", "attention-test.png"),
    *("statistics-test-calibrated.npz", "reliability-test-calibrated.svg"),
)
OF_TRAINING = (
    *("history.jsonl", "artifacts/words", "checkpoints/step-00000008.npz", "data.json"),
    *("log.txt", "learning-curves.png", "mutual-information.json", "mutual-information.png"),
)


def test_what_was_found_of_the_run_as_it_was_is_not_the_changed_run_s(run):
    def lies(name):
        inside = "/" in name or (run.path / name).suffix in (".keras", ".jsonl", ".txt")
        inside = inside or name.startswith(("metrics", "calibration", "data."))
        return (run.path if inside else run.evaluation) / name

    gone, stay = ([lies(name) for name in names] for names in (OF_THE_MODEL, OF_TRAINING))
    for file in (*gone, *stay):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    assert record_resumption(TinyTask(), config_of(run), run) == []
    assert all(file.exists() for file in (*gone, *stay))
    config = apply_changes(config_of(run), {"training.patience": "3"})
    said = record_resumption(TinyTask(), config, run)
    assert [word in text for word, text in zip(("lsk calibrate", "--data"), said, strict=True)]
    assert [file for file in gone if file.exists()] == []
    assert [file for file in stay if not file.exists()] == []


def test_what_is_only_looked_at_changes_nothing(run):
    run.model_file.write_text("model")
    (run.checkpoints / "step-00000008.npz").touch()
    before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
    config = apply_changes(config_of(run), {"training.steps": "20"})
    assert check_resumption(TinyTask(), config, run) == {"training.steps": [13, 20]}
    assert {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()} == before


def test_what_a_run_took_is_added_up_over_its_starts(run):
    def started(ago):
        starts = run.read_starts()
        starts[-1]["started"] = (NOW - datetime.timedelta(seconds=ago)).isoformat()
        run.write_json(run.environment_file, {"schema": 2, "starts": starts})

    def saved(step, ago):
        file = run.checkpoints / f"step-{step:08d}.npz"
        file.write_bytes(b"")
        os.utime(file, (NOW.timestamp() - ago,) * 2)

    run.checkpoints.mkdir(exist_ok=True)
    started(5000)
    record_resumption(TinyTask(), config_of(run), run)
    assert seconds_before(run) == 0  # nothing was saved
    started(1000)
    saved(7, ago=900)
    record_resumption(TinyTask(), config_of(run), run)
    assert seconds_before(run) == pytest.approx(100, abs=0.1)
    started(500)
    record_resumption(TinyTask(), config_of(run), run)
    assert seconds_before(run) == pytest.approx(100, abs=0.1)  # and nothing again
    saved(8, ago=250)
    started(300)
    record_resumption(TinyTask(), config_of(run), run)
    assert seconds_before(run) == pytest.approx(150, abs=0.1)


def test_nothing_changed_is_recorded_as_nothing(run):
    record_resumption(TinyTask(), config_of(run), run)
    assert "changed" not in run.read_starts()[1]


@pytest.mark.parametrize("key", ["training.alpha", "optimizer.name", "model.width", "data.source"])
def test_settled_settings_are_refused(run, key):
    with pytest.raises(InputError, match=f"optimizer.learning_rate and .* Received: {key}"):
        apply_changes(config_of(run), {key: "0.5"})


def test_a_value_out_of_range_is_refused(run):
    with pytest.raises(InputError, match="optimizer.learning_rate to be a number .*Received: -1"):
        apply_changes(config_of(run), {"optimizer.learning_rate": -1})


def test_another_configuration_is_refused(run):
    config = config_of(run)
    other = dataclasses.replace(config, training=dataclasses.replace(config.training, alpha=0.2))
    before = run.config_file.read_bytes()
    with pytest.raises(InputError, match="Received: training.alpha=0.2 for 0.1"):
        record_resumption(TinyTask(), other, run)
    assert run.config_file.read_bytes() == before
    assert len(run.read_starts()) == 1


def test_a_finished_run_without_checkpoints_is_not_trained_again(run):
    run.model_file.write_bytes(b"model")
    run.checkpoints.mkdir(exist_ok=True)
    (run.checkpoints / "step-best.npz").touch()  # no checkpoint, whatever it is
    with pytest.raises(FileError, match="finished, without checkpoints"):
        record_resumption(TinyTask(), config_of(run), run)


def test_a_path_of_data_is_found_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "letters-here").mkdir()
    monkeypatch.chdir(tmp_path)
    config = resolve_config(TinyTask(), None, {"data.source": "letters-here"})
    assert config.data == DataConfig(str(tmp_path / "letters-here"))
    again = resolve_config(TinyTask(), None, {"data.source": "./nothing-yet"})
    assert again.data.source == str(tmp_path / "nothing-yet")


def test_names_of_data_stay_names(tmp_path, monkeypatch):
    (tmp_path / "letters").mkdir()  # the task's own name comes first
    monkeypatch.chdir(tmp_path)
    for name in ("letters", "mnist", "tfds:letters"):
        config = resolve_config(TinyTask(), None, {"data.source": name})
        assert config.data.source == name
