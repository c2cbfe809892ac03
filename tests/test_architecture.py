"""Who imports whom, how long files are, and what the command line waits for."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import ls_keras
from ls_base.files import write_json
from lsk_engine.runs.run_directory import RunDirectory

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(p.name for p in (ROOT / "plugins").iterdir() if (p / "__init__.py").exists())
HEAVY = ("tensorflow", "keras", "keras_hub", "jax", "torch", "scipy", "matplotlib", "pandas")
# Longer than 400 lines on purpose: tables, of which each line is one entry.
TABLES = {"plugins/lsk_translation/cldr_frames.py"}


def sources(folder: str) -> list[Path]:
    """Returns the Python files below a folder."""
    return sorted((ROOT / folder).rglob("*.py"))


def imports(file: Path) -> set[str]:
    """Returns the top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def importers(folder: str, forbidden: set[str]) -> dict[str, set[str]]:
    """Returns the files below a folder that import something forbidden."""
    found = {str(f.relative_to(ROOT)): imports(f) & forbidden for f in sources(folder)}
    return {file: names for file, names in found.items() if names}


def test_the_core_knows_no_task_and_no_command_line():
    assert importers("ls_keras", {"lsk", "click", *PLUGINS}) == {}


def test_the_command_line_knows_no_task():
    assert importers("cli", set(PLUGINS)) == {}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_knows_neither_the_command_line_nor_other_plugins(plugin):
    assert importers(f"plugins/{plugin}", {"lsk", *PLUGINS} - {plugin}) == {}


def test_imports_are_found_wherever_they_stand(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("import a.b\nfrom c.d import e\ndef f():\n    import g\n    from .h import i\n")
    assert imports(file) == {"a", "c", "g"}


def test_files_are_short():
    files = [*sources("ls_keras"), *sources("cli"), *sources("plugins")]
    lengths = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in files}
    assert {name: n for name, n in lengths.items() if n > 400 and name not in TABLES} == {}


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory) -> Path:
    """A run directory as a finished training leaves it, weights excepted."""
    path = tmp_path_factory.mktemp("runs") / "run"
    run = RunDirectory.create(path, {"task": "translation", "preset": "cldr-small"})
    run.append_history({"step": 1, "epoch": 1, "train": {"loss": 1.0}, "validation": {"nll": 1.0}})
    scores = {"nll": 1.0, "perplexity": 2.7, "accuracy": 0.5, "loss": 1.0}
    results = {"schema": 1, "run": str(path), "task": "translation", "alpha": 0.1, "seconds": 1.0}
    results |= {"calibrated": False, "labels": {}, "signatures": {}, "notes": [], "test": scores}
    write_json(run.metrics_file, results)
    return path


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["tasks"], ["show", "RUN"]])
def test_commands_that_only_read_do_not_wait_for_a_framework(arguments, finished_run, tmp_path):
    arguments = [str(finished_run) if a == "RUN" else a for a in arguments]
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: open('modules', 'w').write(json.dumps(list(sys.modules))))\n"
        "from lsk.main import main\n"
        f"sys.argv = ['lsk', *{arguments!r}]\n"
        "main()\n"
    )
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert done.stderr == ""
    imported = json.loads((tmp_path / "modules").read_text())
    assert "ls_keras" in imported
    assert {name.partition(".")[0] for name in imported} & set(HEAVY) == set()


@pytest.mark.parametrize("order", ["import keras, ls_keras", "import ls_keras, keras"])
@pytest.mark.tensorflow
def test_importing_the_package_is_all_that_loading_a_model_needs(order, tmp_path):
    tokens = keras.Input((4,), dtype="int32")
    embedding = keras.layers.Embedding(5, 8)
    logits = ls_keras.TiedLogits(embedding, name="logits")(embedding(tokens))
    model = keras.Model(tokens, ls_keras.layers.Temperature(2.0)(logits))
    model.compile(
        loss=ls_keras.SmoothedCE(0.1, smoothing="neighborhood", from_logits=True, ignore_class=0),
        metrics=[
            ls_keras.Accuracy(ignore_class=0),
            ls_keras.BrierScore(from_logits=True),
            ls_keras.ExpectedCalibrationError(from_logits=True),
            ls_keras.NegativeLogLikelihood(from_logits=True),
        ],
    )
    model.save(tmp_path / "model.keras")
    code = (
        f"{order}\n"
        "model = keras.saving.load_model('model.keras')\n"
        "print(type(model.loss).__name__, model.loss.alpha)\n"
    )
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["SmoothedCE", "0.1"]


def run_python(code: str, folder: Path) -> subprocess.CompletedProcess:
    """Runs code in a fresh process, as a user's shell would."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
