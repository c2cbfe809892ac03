"""What is shipped: `setup.cfg` against the tree, and the wheel at work outside the checkout."""

import configparser
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from reported_runs import bare_run

ROOT = Path(__file__).parents[1]
# Where the import packages of each folder are.
FOLDERS = {
    "ls_base": ROOT,
    "ls_keras": ROOT,
    "engine": ROOT / "engine",
    "plugins": ROOT / "plugins",
    "cli": ROOT / "cli",
}
WORDS = {"red": "rot", "green": "grün", "old": "alt", "new": "neu", "big": "groß"}
THINGS = {"house": "Haus", "horse": "Pferd", "book": "Buch", "car": "Auto", "ship": "Schiff"}


def files_of_the_tree() -> dict[str, Path]:
    """Returns every shipped module by the path that it has in the wheel."""
    found = {}
    for folder, base in FOLDERS.items():
        for file in (ROOT / folder).rglob("*.py"):
            found[file.relative_to(base).as_posix()] = file
    return found


def data_of_the_tree() -> dict[str, Path]:
    """Returns every shipped file that is no module by the path that it has in the wheel."""
    found = {}
    for folder, base in FOLDERS.items():
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and file.suffix not in (".py", ".pyc"):
                found[file.relative_to(base).as_posix()] = file
    return found


@pytest.fixture(scope="module")
def options() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_of_the_tree_is_listed(options):
    packages = {
        Path(name).parent.as_posix().replace("/", ".")
        for name in files_of_the_tree()
        if Path(name).name == "__init__.py"
    }
    assert {"ls_base", "ls_keras.losses", "lsk_engine.devices", "lsk_image"} <= packages
    assert "lsk" in packages
    assert sorted(options["options"]["packages"].split()) == sorted(packages)


def test_every_module_is_in_a_package():
    for name, file in files_of_the_tree().items():
        assert (file.parent / "__init__.py").exists(), name


def test_every_file_that_is_no_module_is_listed(options):
    listed = {
        f"{package.replace('.', '/')}/{name}"
        for package, names in options["options.package_data"].items()
        for name in names.split()
    }
    assert listed == set(data_of_the_tree())


def test_pyproject_leaves_the_metadata_to_setup_cfg():
    # A [project] table would silently void the dependencies of setup.cfg.
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(pyproject) == {"build-system", "tool"}


def test_setup_cfg_spells_its_keys_with_underscores(options):
    for section in ("metadata", "options"):
        assert [key for key in options[section] if "-" in key] == []


def test_the_version_is_said_once_more_only_in_the_package(options):
    import ls_keras

    assert ls_keras.__version__ == options["metadata"]["version"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy: a `build` folder left in the checkout could fill gaps."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, source)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel) -> Path:
    """The wheel, installed in a folder of its own."""
    target = wheel.parent / "installed"
    pip("install", "--target", target, wheel)
    return target


@pytest.mark.slow
def test_the_wheel_holds_every_module(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name for name in names if name.endswith(".py")} == set(files_of_the_tree())
    # Of what is no module, the wheel has all that lies beside one.
    others = {name for name in names if ".dist-info/" not in name and not name.endswith(".py")}
    assert others == set(data_of_the_tree())


@pytest.mark.slow
def test_the_wheel_is_what_runs(installed, tmp_path):
    code = (
        "import ls_keras, lsk, lsk_translation\n"
        "print(ls_keras.__file__, lsk.__file__, lsk_translation.__file__)\n"
    )
    done = run([sys.executable, "-c", code], installed, tmp_path)
    assert done.returncode == 0, done.stderr
    assert [Path(file).parents[1] for file in done.stdout.split()] == [installed] * 3


@pytest.mark.slow
def test_the_wheel_writes_a_report(installed, tmp_path):
    bare_run(tmp_path / "run")
    done = run([sys.executable, installed / "bin" / "lsk", "report", "run"], installed, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "</html>" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
def test_the_wheel_trains_outside_the_checkout(installed, tmp_path):
    pairs = [
        (f"the {w} {t} and the {v} {s}", f"{W} {T} und {V} {S}")
        for w, W in WORDS.items()
        for t, T in THINGS.items()
        for v, V in WORDS.items()
        for s, S in THINGS.items()
    ]
    for split, rows in (("train", pairs[::8]), ("val", pairs[1::80]), ("test", pairs[2::80])):
        for side, suffix in enumerate(("en", "de")):
            lines = "".join(f"{pair[side]}\n" for pair in rows)
            (tmp_path / f"{split}.{suffix}").write_text(lines)
    settings = {
        "data.vocabulary_size": 300,
        "model.layers": 1,
        "model.width": 16,
        "model.feedforward": 16,
        "model.heads": 2,
        "training.jit_compile": "false",
        "training.batch_size": 8,
    }
    done = run(
        [
            *(sys.executable, installed / "bin" / "lsk", "train", "--task", "translation"),
            *("--data", tmp_path, "--steps", "5", "--alpha", "0.1", "--run-dir", "run", "--json"),
            *(f"--set={key}={value}" for key, value in settings.items()),
        ],
        installed,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics == json.loads(done.stdout)
    assert metrics["alpha"] == 0.1
    assert metrics["test"]["nll"] > 0
    assert 0 <= metrics["test"]["bleu"] <= 100


def pip(command: str, *arguments) -> None:
    """Runs pip without a network and without dependencies."""
    options = ("--quiet", "--no-deps", "--no-index")
    subprocess.run([sys.executable, "-m", "pip", command, *options, *arguments], check=True)


def run(command: list, installed: Path, folder: Path) -> subprocess.CompletedProcess:
    """Runs a command that finds what is installed before the checkout."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
