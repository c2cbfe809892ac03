"""Who imports whom, how long files are, and what the command line waits for."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import keras
import pytest

import ls_keras
from floors import COMMAND_LINE, ENGINE, FLOORS, GROUND, LIBRARY, PLUGINS, Floor
from import_graph import (
    Graph,
    cycles,
    foreign_imports,
    import_graph,
    modules_below,
    private_names,
)
from lsk_engine.runs.run_directory import RunDirectory
from stored_files import CONFIG, history, metrics

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "keras_hub", "jax", "torch", "scipy", "matplotlib", "pandas")
# Long on purpose: tables with one entry per line.
TABLES = {"plugins/lsk_translation/cldr/frames.py"}
MOST_LINES = 350


def packages(floor: Floor) -> dict[str, Path]:
    """Returns the folder of each import package of a floor."""
    folder = ROOT / floor.folder
    if (folder / "__init__.py").exists():
        return {folder.name: folder}
    return {p.name: p for p in sorted(folder.iterdir()) if (p / "__init__.py").exists()}


FLOOR_OF = {package: floor for floor in FLOORS for package in packages(floor)}
MODULES = modules_below({k: v for floor in FLOORS for k, v in packages(floor).items()})


def room_of(module: str) -> int | None:
    """Returns the height of a module's room on its floor; `None`: it is in none."""
    package, _, rest = module.partition(".")
    names = [room.name for room in FLOOR_OF[package].rooms]
    room = rest.partition(".")[0]
    return names.index(room) if room in names else None


def may_import(importer: str, imported: str) -> bool:
    """Returns whether the list of floors lets one module import another."""
    (here, _, path), there = importer.partition("."), imported.partition(".")[0]
    floor, other = FLOOR_OF[here], FLOOR_OF[there]
    if floor is not other:
        if floor.beside == other.name or other.beside == floor.name:
            # What a plugin adds to the command line stands on it.
            return floor is PLUGINS and other is COMMAND_LINE and path == "commands"
        return FLOORS.index(floor) > FLOORS.index(other)
    if here != there:
        return False  # two plugins
    height, of_other = room_of(importer), room_of(imported)
    if height is None or of_other is None or height == of_other:
        return True  # the package itself, whose `__init__` hands names on; the same room
    room, lower = floor.rooms[height], floor.rooms[of_other]
    return height > of_other and room.beside != lower.name


def wrong_imports(graph: Graph) -> list[str]:
    """Returns each import that the list of floors doesn't let be."""
    return [
        f"{importer} imports {imported}"
        for importer in sorted(graph)
        for imported in sorted(graph[importer])
        if not may_import(importer, imported)
    ]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_graph(MODULES)


def test_imports_go_down_only(graph):
    assert wrong_imports(graph) == []


def test_no_module_imports_itself_by_way_of_others(graph):
    assert cycles(graph) == []


@pytest.mark.parametrize("floor", [LIBRARY, ENGINE], ids=lambda floor: floor.name)
def test_every_room_is_in_the_list(floor):
    found = {p.stem for p in (ROOT / floor.folder).iterdir() if p.suffix == ".py" or p.is_dir()}
    assert found - {"__init__", "__pycache__"} == {room.name for room in floor.rooms}


@pytest.mark.parametrize(
    ("module", "planted", "found"),
    [
        (
            "ls_keras.inputs.targets",
            "from ls_keras import SmoothedCE",
            "ls_keras.losses.smoothed_ce",
        ),
        ("ls_keras.backend.tensors", "import lsk_engine.progress", "lsk_engine.progress"),
        ("ls_base.errors", "def f():\n    import ls_keras.errors", "ls_keras.errors"),
        (
            "lsk_engine.settings.training",
            "if TYPE_CHECKING:\n    from lsk_engine import Task",
            "lsk_engine.tasks.contract",
        ),
        (
            "lsk_engine.devices.xla",
            "def f():\n    from ..data import batches",
            "lsk_engine.data.batches",
        ),
        (
            "lsk_engine.scoring.evaluate",
            "from lsk_engine.training.signals import stop_on_signal",
            "lsk_engine.training.signals",
        ),
        ("lsk_image.task", "from lsk_speech.units import load_units", "lsk_speech.units"),
        ("lsk_image.task", "from lsk.support import options", "lsk.support.options"),
        ("lsk.train", "from lsk_image.task import ImageTask", "lsk_image.task"),
    ],
)
def test_a_planted_import_is_found(tmp_path, module, planted, found):
    file = tmp_path / "planted.py"
    file.write_text(f"{MODULES[module].read_text()}\n{planted}\n")
    modules: Mapping[str, Path] = {**MODULES, module: file}
    assert f"{module} imports {found}" in wrong_imports(import_graph(modules))


def test_a_planted_circle_is_found(tmp_path):
    files = {"a": "import p.b", "b": "def f():\n    from p import c", "c": "from p.a import x"}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "__init__.py").write_text("")
    assert cycles(import_graph(modules_below({"p": tmp_path}))) == [["p.a", "p.b", "p.c"]]


def test_a_name_counts_for_the_module_that_defines_it(tmp_path):
    files = {
        "__init__": "from .a import x as y",
        "a": "x = 1",
        "b": "from p import y\nfrom . import c",
        "c": "import os.path, p.a",
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    graph = import_graph(modules_below({"p": tmp_path}))
    assert graph == {"p": {"p.a"}, "p.a": set(), "p.b": {"p.a", "p.c"}, "p.c": {"p.a"}}


def importers(name: str) -> set[str]:
    """Returns the files that import a third-party package."""
    return {
        file.relative_to(ROOT).as_posix()
        for file in MODULES.values()
        if name in foreign_imports(file)
    }


def test_click_lives_in_commands_only():
    commands = {f"plugins/{package}/commands.py" for package in packages(PLUGINS)}
    assert {f for f in importers("click") if not f.startswith("cli/lsk/")} <= commands


SUPPORT = {file.name: file for file in (ROOT / "tests" / "support").glob("*.py")}


def above_the_library(test: Path) -> set[str]:
    """Returns the packages above the library that a test needs, by way of its support included.

    Support is imported by its name, or run as the script of its file's name.
    """
    found, seen, left = set(), set(), [test]
    while left:
        file = left.pop()
        seen.add(file)
        nodes = ast.walk(ast.parse(file.read_text()))
        scripts = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
        packages = foreign_imports(file)
        found |= {name for name in packages if FLOOR_OF.get(name, LIBRARY) not in (GROUND, LIBRARY)}
        names = scripts | {f"{name}.py" for name in packages}
        left += {SUPPORT[name] for name in names & set(SUPPORT)} - seen
    return found


def test_tests_of_the_library_need_nothing_above_it():
    folders = [ROOT / "tests" / floor.folder for floor in (GROUND, LIBRARY)]
    tests = [file for folder in folders for file in folder.rglob("*.py")]
    assert len(tests) > 70
    assert {f.name: above_the_library(f) for f in tests if above_the_library(f)} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "def test():\n    from lsk_engine.progress import Reporter",
        "from tiny_task import TinyTask",
        "script = Path(__file__).parents[2] / 'support' / 'train_on_replicas.py'",
    ],
)
def test_a_planted_need_of_the_engine_is_found(tmp_path, planted):
    file = tmp_path / "test_planted.py"
    file.write_text(planted)
    assert above_the_library(file) == {"lsk_engine"}


def test_nothing_needs_a_system_with_fcntl():
    assert importers("fcntl") == set()


# PyTorch's count of writes in place has no public name; named tuples' methods are public.
NOT_OF_KERAS = {"_version", "_replace", "_asdict", "_fields", "_saved_dim", "_saved_self_sym_sizes"}


def test_private_names_of_keras_are_read_in_the_backend_only():
    read = {
        file.relative_to(ROOT).as_posix(): names
        for file in MODULES.values()
        if (names := private_names(file) - NOT_OF_KERAS)
    }
    backend = {f"ls_keras/backend/{name}.py" for name in ("keras_internals", "tensors")}
    assert set(read) == backend, read
    tests = (ROOT / "tests").rglob("*.py")
    assert [f for f in tests if any(n.startswith("keras.src") for n in private_names(f))] == []


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("from keras.src.losses.loss import Loss", "keras.src.losses.loss.Loss"),
        ("def f():\n    import keras.src.backend", "keras.src.backend"),
        ("mask = keras.src.backend.get_keras_mask(1)", "keras.src"),
        ("from sklearn.calibration import _fit", "sklearn.calibration._fit"),
        ("mask = y._keras_mask", "_keras_mask"),
        ("mask = getattr(y, '_keras_mask', None)", "_keras_mask"),
        ("class M(keras.Model):\n    def f(self):\n        return self._losses", "_losses"),
    ],
)
def test_a_planted_private_name_is_found(tmp_path, planted, found):
    file = tmp_path / "planted.py"
    file.write_text(f"class A:\n    def f(self):\n        self._own = 1\n{planted}\n")
    assert private_names(file) == {found}


def test_files_are_short():
    lengths = {
        file.relative_to(ROOT).as_posix(): len(file.read_text().splitlines())
        for file in MODULES.values()
    }
    long = {name: n for name, n in lengths.items() if n > MOST_LINES and name not in TABLES}
    assert long == {}


def test_contract_settings_and_registry_do_not_wait_for_a_framework(tmp_path):
    code = (
        "import sys, lsk_engine, lsk_engine.tasks.registry, lsk_engine.settings.resolving\n"
        "import lsk_engine.runs.stored_run, lsk_engine.runs.locking, lsk_engine.runs.stored_run\n"
        "print(*sys.modules)\n"
    )
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert "lsk_engine" in imported
    assert imported & {*HEAVY, "ls_keras"} == set()


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory) -> Path:
    """A run directory as a finished training leaves it, weights excepted."""
    path = tmp_path_factory.mktemp("runs") / "run"
    run = RunDirectory.create(path, CONFIG)
    run.append_history(history(1))
    scores = {"nll": 1.0, "perplexity": 2.7, "accuracy": 0.5, "loss": 1.0}
    run.write_json(run.metrics_file, metrics(test=scores))
    return path


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["tasks"], ["show", "RUN"], ["report", "RUN"]]
)
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
    assert "lsk.main" in imported
    assert {name.partition(".")[0] for name in imported} & set(HEAVY) == set()


@pytest.mark.slow
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
            ls_keras.Accuracy(from_logits=True, ignore_class=0),
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
