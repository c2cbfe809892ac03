"""Processes that stand for trainings: they need no framework, and say what they were told."""

import io
import json
import os
import signal
import sys
import time

import pytest

from ls_base.errors import LsKerasError
from lsk_engine.devices.gpus import VISIBLE
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.run_jobs import Job, run_jobs, worker_environments
from stored_files import metrics

QUICK = f"""
import pathlib, sys
(pathlib.Path(sys.argv[1]) / "metrics.json").write_text({json.dumps(metrics())!r})
"""
UNTIL_STOPPED = """
import pathlib, signal, sys, time
run = pathlib.Path(sys.argv[1])
def save(*_):
    (run / "saved").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, save)
(run / "started").touch()
time.sleep(60)
"""
FAILING = """
import sys
print("Warning: of something else", file=sys.stderr)
print("Error: Expected a finite loss. Received: nan", file=sys.stderr)
sys.exit(2)
"""


def command(code):
    return [sys.executable, "-S", "-c", code]


def job(folder, name, after=None, kind="student"):
    run = RunDirectory(folder / name)
    create = lambda: RunDirectory.create(folder / name, {"name": name})  # noqa: E731
    return Job(name, kind, run, create, after and after.run)


def reporter():
    return Reporter(stream=io.StringIO())


def test_a_run_starts_when_the_one_before_it_is_finished(tmp_path):
    teacher = job(tmp_path, "teacher", kind="teacher")
    jobs = [job(tmp_path, "student", after=teacher), teacher, job(tmp_path, "alone")]
    ended = []
    told = reporter()
    run_jobs(
        jobs, command(QUICK), told, workers=3, ended=lambda j: ended.append(j.name) or "error 1"
    )
    assert set(ended[:2]) == {"teacher", "alone"}
    assert ended[2] == "student"
    assert "3/3  student: error 1" in told.stream.getvalue()
    written = (tmp_path / "teacher" / "environment.json").read_bytes()
    again = reporter()
    run_jobs(jobs, command(FAILING), again)  # nothing is left to fail
    assert "3 of 3 runs are finished already" in again.stream.getvalue()
    assert (tmp_path / "teacher" / "environment.json").read_bytes() == written


def test_a_run_that_was_started_is_gone_on_with(tmp_path):
    started = job(tmp_path, "a")
    started.create()
    run_jobs([started], command(QUICK), reporter())  # a second `create` would be refused
    assert started.finished


def test_a_failure_is_told_and_stops_the_others(tmp_path):
    failing, other = job(tmp_path, "failing"), job(tmp_path, "other")
    wait = (
        "import pathlib, time\n"
        f"while not pathlib.Path({str(tmp_path / 'other' / 'started')!r}).exists():\n"
        "    time.sleep(0.01)\n"
    )
    code = (
        f"import sys\nif sys.argv[1].endswith('failing'):\n    exec({wait + FAILING!r})\n"
        f"exec({UNTIL_STOPPED!r})"
    )
    with pytest.raises(LsKerasError, match="failing.*exit code 2: Expected a finite loss") as error:
        run_jobs([failing, other], command(code), reporter(), workers=2)
    assert "Warning" not in str(error.value)
    assert (tmp_path / "other" / "saved").exists()


def test_a_failure_is_told_and_the_others_go_on(tmp_path):
    failing, other = job(tmp_path, "failing"), job(tmp_path, "other")
    student, its_own = job(tmp_path, "student", after=failing), job(tmp_path, "third")
    code = f"import sys\nexec({FAILING!r} if sys.argv[1].endswith('failing') else {QUICK!r})"
    told = reporter()
    jobs = [failing, student, other, its_own]
    failed = run_jobs(jobs, command(code), told, keep_going=True)
    assert {j.name for j in failed} == {"failing", "student"}
    assert "Expected a finite loss" in str(failed[failing])
    assert "Received: one that failed" in str(failed[student])
    assert other.finished
    assert its_own.finished
    assert "Warning: failing: Expected every training to end well" in told.stream.getvalue()
    assert "2/4  third" in told.stream.getvalue()


def test_one_that_ends_without_scores_has_failed(tmp_path):
    with pytest.raises(LsKerasError, match="Received: a .*exit code 0: nothing"):
        run_jobs([job(tmp_path, "a")], command("pass"), reporter())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_lets_every_run_save_its_state(tmp_path, request, number):
    # A shell's background job starts with Ctrl-C ignored; these tests may be one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    quick, slow = job(tmp_path, "quick"), job(tmp_path, "slow")
    code = f"import sys\nexec({QUICK!r} if sys.argv[1].endswith('quick') else {UNTIL_STOPPED!r})"

    def interrupt(ended):
        deadline = time.monotonic() + 60
        while not (tmp_path / "slow" / "started").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(os.getpid(), number)
        time.sleep(1)  # the signal's handler raises here at the latest
        return ""

    with pytest.raises(KeyboardInterrupt):
        run_jobs([quick, slow], command(code), reporter(), workers=2, ended=interrupt)
    assert (tmp_path / "slow" / "saved").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_cores_are_divided_and_what_the_user_set_stays(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert [one["TF_NUM_INTRAOP_THREADS"] for one in worker_environments(3)] == ["2"] * 3
    assert worker_environments(16)[0]["OMP_NUM_THREADS"] == "1"
    assert worker_environments(1) == [dict(os.environ)]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert worker_environments(4)[3]["OMP_NUM_THREADS"] == "5"


def test_gpus_are_dealt_out(monkeypatch):
    def dealt(workers):
        return [one[VISIBLE] for one in worker_environments(workers)]

    monkeypatch.setenv(VISIBLE, "4,GPU-ab,7")
    assert dealt(2) == ["4", "GPU-ab"]
    assert dealt(5) == ["4", "GPU-ab", "7", "4", "GPU-ab"]
    assert dealt(1) == ["4,GPU-ab,7"]
    monkeypatch.setenv(VISIBLE, "-1")
    assert dealt(2) == ["-1", "-1"]


def test_a_worker_gets_the_gpu_that_is_free(tmp_path, monkeypatch):
    """The first two run beside one another; the third, on the GPU of the one that has ended."""
    monkeypatch.setenv(VISIBLE, "0,1")
    jobs = [job(tmp_path, name) for name in ("long", "short", "next")]
    code = f"""
import os, pathlib, sys, time
run = pathlib.Path(sys.argv[1])
(run / "gpu").write_text(os.environ["{VISIBLE}"])
while run.name == "long" and not (run.parent / "next" / "gpu").exists():
    time.sleep(0.01)
exec({QUICK!r})
"""
    run_jobs(jobs, command(code), reporter(), workers=2)
    assert [(one.run.path / "gpu").read_text() for one in jobs] == ["0", "1", "1"]


def test_time_left_counts_each_kind_by_what_it_took(tmp_path):
    """Two students of 10 s are left after a teacher of 100 s; two run at a time."""
    teacher = job(tmp_path, "teacher", kind="teacher")
    students = [job(tmp_path, f"student{i}", after=teacher) for i in range(3)]
    for done, seconds in ((teacher, 100), (students[0], 10)):
        done.create()
        done.run.metrics_file.write_text(json.dumps(metrics(seconds=seconds)))
    told = reporter()
    run_jobs([teacher, *students], command(QUICK), told, workers=2)
    lines = told.stream.getvalue().splitlines()
    assert lines[0] == "2 of 4 runs are finished already"
    assert lines[1].startswith("2/4 runs, 2 running")
    assert lines[1].endswith(("9 s left", "10 s left"))
