"""Jobs whose trainings are short programs without a framework."""

import contextlib
import io
import json
import os
import signal
import sys
import time

import pytest

from ls_base.errors import LsKerasError
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.executors.local_processes import LocalProcesses
from lsk_engine.studies.executors.run_jobs import StudyProgress, run_jobs
from lsk_engine.studies.jobs import Job
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


def processes(code, workers=1):
    return LocalProcesses([sys.executable, "-S", "-c", code], workers)


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
    log = reporter()
    run_jobs(jobs, processes(QUICK, 3), log, on_finish=lambda j: ended.append(j.name) or "error 1")
    assert set(ended[:2]) == {"teacher", "alone"}
    assert ended[2] == "student"
    assert "3/3  student: error 1" in log.stream.getvalue()
    written = (tmp_path / "teacher" / "environment.json").read_bytes()
    again = reporter()
    run_jobs(jobs, processes(FAILING), again)  # nothing is left to fail
    assert "3 of 3 runs are finished already" in again.stream.getvalue()
    assert (tmp_path / "teacher" / "environment.json").read_bytes() == written


def test_a_started_run_is_resumed(tmp_path):
    started = job(tmp_path, "a")
    started.create()
    run_jobs([started], processes(QUICK), reporter())  # a second `create` would fail
    assert started.finished


def test_a_run_that_cannot_be_created_does_not_stop_the_others(tmp_path):
    def refuse():
        raise LsKerasError("Expected a finished run as the teacher")

    damaged, other = job(tmp_path, "damaged"), job(tmp_path, "other")
    damaged = Job(damaged.name, damaged.kind, damaged.run, refuse)
    failed = run_jobs([damaged, other], processes(QUICK), reporter(), keep_going=True)
    assert list(failed) == [damaged]
    assert other.finished
    with pytest.raises(LsKerasError, match="as the teacher"):
        run_jobs([damaged], processes(QUICK), reporter())


def test_a_failure_stops_the_others_which_save_their_state(tmp_path):
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
        run_jobs([failing, other], processes(code, 2), reporter())
    assert "Warning" not in str(error.value)
    assert (tmp_path / "other" / "saved").exists()


def test_the_others_continue_after_a_failure_with_keep_going(tmp_path):
    failing, other = job(tmp_path, "failing"), job(tmp_path, "other")
    student, its_own = job(tmp_path, "student", after=failing), job(tmp_path, "third")
    code = f"import sys\nexec({FAILING!r} if sys.argv[1].endswith('failing') else {QUICK!r})"
    log = reporter()
    jobs = [failing, student, other, its_own]
    failed = run_jobs(jobs, processes(code), log, keep_going=True)
    assert {j.name for j in failed} == {"failing", "student"}
    assert "Expected a finite loss" in str(failed[failing])
    assert "the run that it depends on failed" in str(failed[student])
    assert other.finished
    assert its_own.finished
    assert "Warning: failing: Training failing (" in log.stream.getvalue()
    assert "2/4  third" in log.stream.getvalue()


def test_a_training_that_ends_without_scores_has_failed(tmp_path):
    with pytest.raises(LsKerasError, match=r"Training a \(.*\) failed, exit code 0; the same"):
        run_jobs([job(tmp_path, "a")], processes("pass"), reporter())


KILLED = """
import os, pathlib, signal, sys
run = pathlib.Path(sys.argv[1])
with (run / "starts").open("a") as file:
    file.write("x")
if len((run / "starts").read_text()) <= int(sys.argv[0] or 1):
    (run / "log.txt").write_text("loading\\nstep 7\\n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_training_is_resumed_once(tmp_path):
    killed, other = job(tmp_path, "killed"), job(tmp_path, "other")
    code = "import sys\nif sys.argv[1].endswith('killed'):\n    sys.argv[0] = '1'\n"
    code += f"    exec({KILLED!r})\nexec({QUICK!r})"
    log = reporter()
    run_jobs([killed, other], processes(code), log)
    assert killed.finished
    assert (killed.run.path / "starts").read_text() == "xx"
    assert (
        "killed by signal 9 (Killed), as the system does when memory runs out; it is resumed"
        in (log.stream.getvalue())
    )


def test_a_training_killed_twice_has_failed_and_its_last_log_line_is_reported(tmp_path):
    killed, other = job(tmp_path, "killed"), job(tmp_path, "other")
    code = "import sys\nif sys.argv[1].endswith('killed'):\n    sys.argv[0] = '9'\n"
    code += f"    exec({KILLED!r})\nexec({QUICK!r})"
    failed = run_jobs([killed, other], processes(code), reporter(), keep_going=True)
    assert (killed.run.path / "starts").read_text() == "xx"
    assert "memory runs out: last line of its log: step 7; the same command" in str(failed[killed])
    assert other.finished


def test_a_run_that_another_process_uses_is_waited_for(tmp_path):
    """As of a killed study whose training is still saving its state."""
    busy, other = job(tmp_path, "busy"), job(tmp_path, "other")
    busy.create()
    log = reporter()
    with contextlib.ExitStack() as held:
        held.enter_context(busy.run.lock())
        run_jobs([busy, other], processes(QUICK, 2), log, on_finish=lambda j: held.close() or "")
    assert busy.finished
    lines = log.stream.getvalue()
    assert f"Waiting for another process that uses {busy.run.path}" in lines
    assert lines.index("1/2  other") < lines.index("2/2  busy")


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
        run_jobs([quick, slow], processes(code, 2), reporter(), on_finish=interrupt)
    assert (tmp_path / "slow" / "saved").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_remaining_time_uses_the_duration_of_each_kind(tmp_path):
    """Two students of 10 s are left after a teacher of 100 s; two run at a time."""
    teacher = job(tmp_path, "teacher", kind="teacher")
    students = [job(tmp_path, f"student{i}", after=teacher) for i in range(3)]
    for done, seconds in ((teacher, 100), (students[0], 10)):
        done.create()
        done.run.metrics_file.write_text(json.dumps(metrics(seconds=seconds)))
    log = reporter()
    run_jobs([teacher, *students], processes(QUICK, 2), log)
    lines = log.stream.getvalue().splitlines()
    assert lines[0] == "2 of 4 runs are finished already"
    assert lines[1].startswith("2/4 runs, 2 running")
    assert lines[1].endswith(("9 s left", "10 s left"))


@pytest.mark.parametrize(
    ("left", "workers", "minutes"),
    [(1, 4, 10), (4, 4, 10), (5, 4, 12.5), (8, 4, 20), (3, 1, 30)],
)
def test_remaining_time_depends_on_the_number_of_workers(tmp_path, left, workers, minutes):
    jobs = [job(tmp_path, str(i)) for i in range(left + 1)]
    progress = StudyProgress(jobs, reporter())
    progress.job_started(progress.jobs[0])
    progress.started_at[progress.jobs[0]] -= 600
    progress.job_finished(progress.jobs[0], "")
    progress.show(workers)
    for started in progress.jobs[1 : 1 + workers]:
        progress.job_started(started)
    assert progress._seconds_left(time.monotonic()) / 60 == pytest.approx(minutes, rel=0.01)
