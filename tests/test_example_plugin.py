"""The plugin of the docs keeps the contract, installs, is found, and trains."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lsk_engine import Task
from lsk_engine.conformance import TaskContract

PLUGIN = Path(__file__).parents[1] / "docs" / "example_plugin"
SMALL = {"data.points": 60, "training.steps": 4, "training.batch_size": 16, "model.width": 8}


@pytest.fixture(scope="module", autouse=True)
def _module():
    """Makes `lsk_spirals` importable from the sources, for the contract's tests."""
    spec = importlib.util.spec_from_file_location("lsk_spirals", PLUGIN / "lsk_spirals.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lsk_spirals"] = module
    spec.loader.exec_module(module)
    yield
    del sys.modules["lsk_spirals"]


class TestSpirals(TaskContract):
    def task(self) -> Task:
        return sys.modules["lsk_spirals"].SpiralsTask()

    def settings(self, folder):
        return dict(SMALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The plugin as pip installs it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    # A copy: setuptools writes next to what it builds.
    source = shutil.copytree(PLUGIN, folder / "source")
    target = folder / "installed"
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, source], check=True)
    return target


def lsk(*arguments: str, plugins: Path, folder: Path) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(plugins), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "lsk", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_tasks_lists_it_beside_the_built_in_ones(installed, tmp_path):
    done = lsk("tasks", "--json", plugins=installed, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    tasks = {task["name"]: task for task in json.loads(done.stdout)["tasks"]}
    assert tasks["spirals"]["distribution"] == "lsk-spirals 0.1.0"
    assert "small" in tasks["spirals"]["presets"]
    assert "translation" in tasks


@pytest.mark.slow
def test_it_trains_from_the_command_line(installed, tmp_path):
    settings = [f"--set={key}={value}" for key, value in SMALL.items()]
    done = lsk(
        *("train", "--task", "spirals", "--alpha", "0.1", "--run-dir", "run", "--json", *settings),
        plugins=installed,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics == json.loads(done.stdout)
    assert metrics["task"] == "spirals"
    assert 0 <= metrics["test"]["error_rate"] <= 100
    assert metrics["test"]["error_rate"] == pytest.approx(100 * (1 - metrics["test"]["accuracy"]))
    outputs = json.loads((tmp_path / "run" / "outputs" / "test.json").read_text())
    assert set(outputs) <= {0, 1}


def test_its_own_mistakes_are_one_line(installed, tmp_path):
    done = lsk(
        *("train", "--task", "spirals", "--data", "circles"), plugins=installed, folder=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr == "Error: Expected data.source to be spirals. Received: 'circles'\n"
