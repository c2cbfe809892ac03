import json
import os
import socket
import subprocess

import pytest
from click.testing import CliRunner

from ls_base.errors import InputError
from lsk.main import cli
from lsk.support import distributed_options
from lsk_engine.devices.process_env import ADDRESSES, COUNT, INDEX, TF_CONFIG, TPU
from lsk_engine.studies.study import TEACHER
from lsk_processes import ANEW, lsk


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    for name in (TF_CONFIG, ADDRESSES, COUNT, INDEX, TPU):
        monkeypatch.setenv(name, "")


def given(**options):
    return {**dict.fromkeys((*distributed_options._NAMES, "strategy")), **options}


def test_options_are_written_into_the_environment():
    assert (
        distributed_options.configure_processes(given(workers="a:1,b:2", worker_index=1), None)
        is None
    )
    config = json.loads(os.environ[TF_CONFIG])
    assert config == {
        "cluster": {"worker": ["a:1", "b:2"]},
        "task": {"type": "worker", "index": 1},
    }
    distributed_options.configure_processes(
        given(coordinator="a:1", processes=3, process_id=2), "jax"
    )
    distributed_options.configure_processes(given(tpu="local"), None)
    assert [os.environ[name] for name in (ADDRESSES, COUNT, INDEX, TPU)] == [
        "a:1",
        "3",
        "2",
        "local",
    ]


@pytest.mark.parametrize(("count", "started"), [(1, None), (4, 4)])
def test_one_worker_is_this_process(count, started):
    assert distributed_options.configure_processes(given(local_workers=count), None) == started


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": "a:1,b:1"}, "--workers, --worker-index together. Received: no --worker-index"),
        ({"processes": 2, "process_id": 0}, "Received: no --coordinator"),
        (
            {"workers": "a:1,b:1", "worker_index": 0, "local_workers": 2},
            "one way to describe the processes. Received: --workers, --local-workers",
        ),
        ({"local_workers": 0}, "--local-workers of at least 1. Received: 0"),
    ],
)
def test_options_that_do_not_go_together_are_told(options, message):
    with pytest.raises(InputError, match=message):
        distributed_options.configure_processes(given(**options), None)


def test_they_are_taken_out_and_a_tpu_is_its_own_strategy():
    chosen = given(tpu="local")
    distributed_options.configure_processes(chosen, None)
    assert chosen == {"strategy": "tpu"}
    chosen = given(tpu="local", strategy="auto")
    distributed_options.configure_processes(chosen, None)
    assert chosen == {"strategy": "auto"}
    chosen = given(tpu="local")
    distributed_options.configure_processes(chosen, None, resume=True)  # whose run has settled it
    assert chosen == {"strategy": None}


@pytest.mark.parametrize(
    ("options", "backend", "message"),
    [
        ({"workers": "a:1,b:1", "worker_index": 0}, "jax", "--workers on the backend tensorflow"),
        (
            {"coordinator": "a:1", "processes": 2, "process_id": 0},
            None,
            r"--coordinator on the backend jax \(--backend jax\). Received: tensorflow",
        ),
        (
            {"local_workers": 2},
            "torch",
            r"--local-workers on the backend tensorflow or jax \(--backend tensorflow\). "
            "Received: torch",
        ),
    ],
)
def test_what_another_backend_reads_is_told(options, backend, message):
    with pytest.raises(InputError, match=message):
        distributed_options.configure_processes(given(**options), backend)


@pytest.mark.parametrize(("workers", "more"), [(None, []), (1, []), (3, ["--local-workers", "3"])])
def test_a_run_of_many_is_trained_by_as_many_processes(workers, more):
    command = [*distributed_options.train_command(workers, jobs=1), "RUN"]
    assert command[1:] == ["-m", "lsk", "train", "-q", *more, "--resume", "RUN"]


def test_many_runs_at_a_time_leave_no_devices_for_workers():
    with pytest.raises(
        InputError, match="--local-workers or --jobs, .* Received: --local-workers 2 --jobs 3"
    ):
        distributed_options.train_command(2, jobs=3)
    assert distributed_options.train_command(None, jobs=3) == distributed_options.TRAIN


def test_many_runs_of_several_processes_each_are_not_asked_of_pytorch():
    with pytest.raises(InputError, match="--local-workers on the backend tensorflow or jax"):
        distributed_options.train_command(2, 1, "torch")
    assert distributed_options.train_command(1, 1, "torch") == distributed_options.TRAIN


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["a", "--local-workers", "2", "b"], ["a", "b"]),
        (["--local-workers=2", "--local-workers", "3"], []),
        (["--run-dir", "--local-workers"], ["--run-dir"]),
    ],
)
def test_workers_are_started_without_the_option(arguments, left):
    assert distributed_options._without(arguments, "--local-workers") == left


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--strategy", "tpu"], "no TPU on this machine", marks=pytest.mark.slow),
        (["--tpu", "local"], "no TPU on this machine"),
        (["--strategy", "multi-worker"], "--local-workers N, or TF_CONFIG. Received: none"),
        pytest.param(
            ["--workers", "127.0.0.1:1,127.0.0.1:2", "--worker-index", "0"],
            "--run-dir with the same path for all processes",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_is_not_there_is_told_in_one_line(tmp_path, arguments, message):
    done = lsk("train", "-q", "--task", "image", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list((tmp_path / "runs").glob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_an_address_that_another_program_has_is_told_in_one_line(tmp_path, backend):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        own = f"127.0.0.1:{other.getsockname()[1]}"
        to_peers = {
            "tensorflow": ("--workers", f"{own},127.0.0.1:9", "--worker-index", "0"),
            "jax": ("--coordinator", own, "--processes", "2", "--process-id", "0"),
        }
        train = ("train", "-q", "--task", "image", "--run-dir", "run", "--backend", backend)
        done = subprocess.run(
            [*ANEW, *train, *to_peers[backend]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert f"Received: {own} for process 0" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("command", "prefixes"),
    [
        (("study", "smoothing", "--task", "image"), ("",)),
        (("sweep-distillation",), ("", TEACHER)),
    ],
)
def test_studies_hand_their_devices_on_to_all_runs(monkeypatch, tmp_path, command, prefixes):
    asked = {}

    class AskedError(Exception):
        pass

    def run_study(study, *_, command, **__):
        asked.update(study.settings, command=command)
        raise AskedError

    monkeypatch.setattr("lsk_engine.studies.run_study.run_study", run_study)
    options = ("--strategy", "mirrored", "--devices", "2", "--local-workers", "3")
    with pytest.raises(AskedError):
        CliRunner().invoke(
            cli, [*command, *options, "--out", str(tmp_path / "out")], catch_exceptions=False
        )
    assert asked["command"] == distributed_options.train_command(3, jobs=1)
    for prefix in prefixes:
        assert asked[f"{prefix}training.strategy"] == "mirrored"
        assert asked[f"{prefix}training.devices"] == 2
