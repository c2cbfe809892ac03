import contextlib
import json
import multiprocessing
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from lock_holder import held_by_another_process
from ls_base.errors import FileError, InputError
from ls_base.files import write_json
from lsk_engine.runs import run_directory
from lsk_engine.runs.run_directory import RunDirectory
from stored_files import CONFIG, history


def test_create_then_open(tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    run.write_artifacts({"words": b"\x00\xff"})
    again = RunDirectory.open(tmp_path / "run")
    assert again.read_config() == CONFIG
    assert again.read_artifacts() == {"words": b"\x00\xff"}
    (start,) = again.read_starts()
    assert start["packages"]["keras"]
    assert start["command"] == sys.argv


def test_a_directory_with_files_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years")
    with pytest.raises(FileError, match="new or empty"):
        RunDirectory.create(tmp_path, {})
    assert (tmp_path / "thesis.txt").read_text() == "ten years"


@pytest.mark.parametrize("make", [lambda p: p, lambda p: p / "nothing"])
def test_a_directory_that_is_no_run_is_refused(tmp_path, make):
    with pytest.raises(FileError, match=r"Expected a run directory.*Received"):
        RunDirectory.open(make(tmp_path))


def test_a_path_that_cannot_be_a_directory_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Expected to be able to write"):
        RunDirectory.create(tmp_path / "file" / "run", {})


def test_a_path_that_no_file_of_the_run_could_name_is_refused(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff")
    with pytest.raises(FileError, match="path in UTF-8"):
        RunDirectory.create(path, CONFIG)
    assert not path.exists()


def test_history_is_cut_to_the_step_that_a_run_resumes_from(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    for step in (10, 20, 30):
        run.append_history(history(step))
    with run.history_file.open("a") as file:
        file.write('{"step": 4')  # what a crash leaves
    assert [e["step"] for e in run.read_history()] == [10, 20, 30]
    run.write_history(entry for entry in run.read_history() if entry["step"] <= 20)
    assert [e["step"] for e in run.read_history()] == [10, 20]


def test_the_last_entry_is_read_from_the_end_of_the_history(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    assert run.read_last_entry() is None
    run.history_file.write_text('{"step": 1')
    assert run.read_last_entry() is None
    run.history_file.write_bytes(b"damaged\n" * 10**6)
    for step in (10, 20):
        run.append_history(history(step))
    assert run.read_last_entry()["step"] == 20
    with run.history_file.open("a") as file:
        file.write('{"step": 3')  # as a crash leaves it
    assert run.read_last_entry()["step"] == 20


def test_a_line_of_history_that_is_damaged_within_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    for step in (10, 20):
        run.append_history(history(step))
    run.history_file.write_text(run.history_file.read_text().replace('"step": 10', '"step": "x"'))
    with pytest.raises(FileError, match="step in line 1 of .*history.jsonl to be int.*'x'"):
        run.read_history()


def test_a_configuration_without_data_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {k: v for k, v in CONFIG.items() if k != "data"})
    with pytest.raises(FileError, match="config.json. .*missing required field data"):
        run.read_config()


def test_a_changed_configuration_is_refused_unless_it_is_meant(tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    write_json(run.config_file, {"schema": 2, **CONFIG, "preset": "other"})
    with pytest.raises(FileError, match=r"config.json as the run wrote it.*checksums.json"):
        run.read_config()
    files = json.loads(run.checksums.file.read_text())
    del files["files"]["config.json"]
    write_json(run.checksums.file, files)
    assert run.read_config()["preset"] == "other"


def test_what_is_no_regular_file_is_not_taken_for_nothing(tmp_path):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    for file in (run.history_file, run.calibration_file, run.artifacts / "units.json"):
        os.mkfifo(file)
    for read in (run.read_history, run.read_calibration, run.read_artifacts):
        with pytest.raises(FileError, match="Expected a regular file"):
            read()


@pytest.mark.parametrize("name", ["../config.json", "/etc/passwd", ""])
def test_artifacts_stay_in_their_folder(tmp_path, name):
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    with pytest.raises(FileError, match="the name of a file inside .*artifacts"):
        run.write_artifacts({name: b""})
    assert run.read_config() == CONFIG


@pytest.mark.parametrize(
    "name", ["outputs", "evaluation", "new-data", "checkpoints", "log.txt", ".lock", "artifacts/a"]
)
def test_links_inside_a_run_are_refused(tmp_path, name):
    """Else `lsk evaluate` and `lsk train --resume` write where the link points."""
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    link, target = run.path / name, tmp_path / "elsewhere"
    if link.is_dir():
        link.rmdir()
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    for use in (lambda: RunDirectory.open(run.path), lambda: run.lock().__enter__()):
        with pytest.raises(FileError, match=f"without symbolic links.*Received: .*/run/{name}$"):
            use()
    assert not target.exists()


@pytest.mark.parametrize("split", ["../config", "test/x", "", "a\0", "a" * 300])
def test_splits_name_files_of_the_run(tmp_path, split):
    run = RunDirectory(tmp_path)
    for file_of in (
        *(run.sweep_file, run.outputs_file, run.statistics_file, run.reliability_file),
        lambda split: run.picture_file("attention", split),
    ):
        assert file_of("test-clean").parent.parent == tmp_path
        with pytest.raises(InputError, match="Expected the name of a split"):
            file_of(split)


def test_a_run_without_a_model_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    with pytest.raises(FileError, match=r"Expected a finished run"):
        run.load_model()


def test_a_model_that_was_cut_off_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path, {})
    run.model_file.write_bytes(b"PK\x03\x04 and no end")
    with pytest.raises(FileError, match=r"a model that Keras saved in .*model\.keras"):
        run.load_model()


def test_another_schema_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    run.write_json(run.config_file, {"schema": 99})
    with pytest.raises(FileError, match="schema 2"):
        run.read_config()


def test_a_run_that_another_process_is_at_work_in_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {"task": "tiny"})
    assert not run.is_locked()
    process = held_by_another_process(run.lock_file)
    try:
        assert run.is_locked()
        with (
            pytest.raises(InputError, match="no other process is at work in.*Received: .*run"),
            run.lock(),
        ):
            pass
    finally:
        process.kill()
        process.communicate()
    assert not run.is_locked()
    with run.lock():
        pass


def test_a_status_query_does_not_block_training(tmp_path, monkeypatch):
    """`lsk runs` has the lock for a moment, just when a training starts."""
    run = RunDirectory.create(tmp_path / "run", {"task": "tiny"})
    looks, locks = threading.Event(), run_directory.hold_lock

    @contextlib.contextmanager
    def lingering(file, **options):
        with locks(file, **options):
            if threading.current_thread() is thread:
                looks.set()
                time.sleep(0.2)
            yield

    monkeypatch.setattr(run_directory, "hold_lock", lingering)
    thread = threading.Thread(target=run.is_locked)
    thread.start()
    looks.wait(10)
    with run.lock():
        pass
    thread.join(10)


def create(path, number, queue, barrier):
    """Is one of two processes that make the same run directory."""
    barrier.wait()
    try:
        RunDirectory.create(path, {**CONFIG, "task": str(number)})
        queue.put(number)
    except FileError:
        queue.put(None)


@pytest.mark.slow
def test_of_two_that_create_a_run_one_does(tmp_path):
    context = multiprocessing.get_context("forkserver")
    for attempt in range(20):
        queue, barrier = context.Queue(), context.Barrier(2)
        path = tmp_path / f"run-{attempt}"
        both = [context.Process(target=create, args=(path, n, queue, barrier)) for n in (1, 2)]
        for process in both:
            process.start()
        made = {queue.get(timeout=30), queue.get(timeout=30)} - {None}
        for process in both:
            process.join(30)
        assert len(made) == 1
        assert {int(RunDirectory.open(path).read_config()["task"])} == made


@pytest.mark.parametrize("left", [[], [".lock"], [".lock", "environment.json"], ["artifacts/"]])
def test_what_was_killed_before_it_was_a_run_is_made_anew(tmp_path, left):
    (tmp_path / "run").mkdir()
    for name in left:
        path = tmp_path / "run" / name
        path.mkdir() if name.endswith("/") else path.touch()
    if "environment.json" in left:
        write_json(tmp_path / "run" / "environment.json", {"schema": 2, "starts": [{"first": 1}]})
    with pytest.raises(FileError, match=r"without config.json, which `lsk train --run-dir` can"):
        RunDirectory.open(tmp_path / "run")
    run = RunDirectory.create(tmp_path / "run", CONFIG)
    assert run.read_config() == CONFIG


def test_each_start_is_recorded(tmp_path):
    run = RunDirectory.create(tmp_path / "run", {})
    run.record_start(step=20)
    first, second = run.read_starts()
    assert "step" not in first
    assert second["step"] == 20


def note_syncs(monkeypatch) -> list[str]:
    """Returns a list that gets the name of each file whose content is waited for."""
    synced, fsync = [], os.fsync

    def noting(descriptor):
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr("ls_base.files.os.fsync", noting)
    return synced


def test_a_line_of_history_is_on_the_disk_when_it_is_refused(tmp_path, monkeypatch):
    run = RunDirectory.create(tmp_path / "run", {})
    synced = note_syncs(monkeypatch)
    run.append_history({"step": 1})
    assert synced == [str(run.history_file), str(run.path)]


class _Model:
    def save(self, path):
        path.write_bytes(b"model")


def test_a_saved_model_is_on_the_disk_when_it_is_refused(tmp_path, monkeypatch):
    run = RunDirectory.create(tmp_path / "run", {})
    synced = note_syncs(monkeypatch)
    run.save_model(_Model())
    run.save_model(_Model(), calibrated=True)
    noted = ("/.checksums.writing.json", "")
    assert [name.removeprefix(f"{run.path}") for name in synced] == [
        *(*noted, "/.model.writing.keras", ""),
        *(*noted, "/.model-calibrated.writing.keras", ""),
    ]
    assert run.model_file.read_bytes() == run.calibrated_model_file.read_bytes() == b"model"
