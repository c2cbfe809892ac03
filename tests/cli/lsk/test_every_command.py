"""Runs every command on every task, as text and as JSON, on 80 columns, with tiny trained runs."""

import dataclasses
import json
import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import own_files
import small_speech
import small_translation
import speech_files
from ls_base.errors import LsKerasError
from lsk.main import cli
from pictures import write_pictures

TASKS = ("image", "translation", "speech", "keras")
PROMISED = re.compile(r"^(?:Saved|Results|Run|Prepared|Figure): (\S+?)[,;]?(?: |$)", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Row:
    """A command line, and what to expect from it.

    Attributes:
        command: The arguments of `lsk`. `{mode}` is `text` or `json`; the other names
            are the fields of `Setup`.
        tasks: The tasks that have the command.
        files: The files that must exist afterwards.
        json: Whether the command has `--json`.
        stdin: What the command reads.
        error: The start of the one-line error that the command ends with; empty: it succeeds.
    """

    command: str
    tasks: tuple[str, ...] = TASKS
    files: tuple[str, ...] = ()
    json: bool = True
    stdin: str = ""
    error: str = ""


# In the order in which a person uses them: later commands read what earlier ones have written.
ROWS = (
    Row("tasks {task}"),
    Row("settings {task} {model} --data {data}"),
    Row("prepare {options} --out prepared", ("translation",), ("prepared/prepared.json",), False),
    Row("train {options} {kept} --run-dir run-{mode}", files=("run-{mode}/model.keras",)),
    Row("distill --teacher run-text {options} {kept} --run-dir student-{mode}"),
    Row("evaluate run-text", files=("run-text/metrics.json",)),
    Row("evaluate run-text --data {data} --name new-{mode}"),
    Row("calibrate run-text", files=("run-text/model-calibrated.keras",)),
    Row("evaluate run-text --calibrated", files=("run-text/metrics-calibrated.json",)),
    Row("reliability run-text run-json", files=("reliability.svg", "reliability.csv")),
    Row("diagnose logits.npz", ("keras",), ("diagnosis.svg",)),
    Row("project run-text --classes {classes}"),
    Row("project run-text", ("image", "keras")),  # three classes, so all of them
    Row("probe run-text --classes {pair} --examples 10 --draws 2", ("image",)),
    Row("sweep-temperature run-text --temperatures 1,2", files=("temperature-sweep.csv",)),
    Row("sweep-beams run-text --beams 1,2", ("translation", "speech"), ("beam-sweep.csv",)),
    Row("study smoothing {options} {one} --out study", files=("study/results.json",)),
    Row(
        "sweep-distillation {options} --seeds 1 --alphas 0 --temperatures 2 --out sweep", ("image",)
    ),
    Row("reproduce --list --out reproduced", ("image",)),
    Row("compare run-text run-json"),
    Row("show run-text"),
    Row("runs ."),
    Row("report . --out page.html", files=("page.html",), json=False),
    Row("classify run-text pictures/cat/00.png", ("image",)),
    Row("translate run-text", ("translation",), json=False, stdin="ab\n\ncd\n"),
    # Other translators than the demo's have no held-out phrases.
    Row("phrases run-text", ("translation",), json=False, error="Expected a run trained from"),
    Row("transcribe run-text own/30.wav", ("speech",), json=False),
)


@dataclasses.dataclass(frozen=True)
class Setup:
    """What the rows of a task are filled with.

    Attributes:
        task: The task.
        data: Its data, in the current folder.
        settings: The settings of a tiny training.
        classes: Three of its classes.
        model: The option that `lsk settings` needs.
    """

    task: str
    data: str
    settings: dict[str, object]
    classes: str
    model: str = ""

    def arguments(self, row: Row, mode: str) -> list[str]:
        """Returns the arguments of a row."""
        settings = {**self.settings, "training.steps": 2, "training.batch_size": 8}
        chosen = " ".join(f"--set {key}={value}" for key, value in settings.items())
        options = f"--task {self.task} --data {self.data} {self.model} {chosen}"
        kept = "--set training.checkpoint_every=1 --set training.keep_every=1"
        named = {
            **{"task": self.task, "data": self.data, "model": self.model, "mode": mode},
            **{"classes": self.classes, "pair": self.classes.rpartition(",")[0]},
            **{"options": options, "kept": f"{kept} --seed {int(mode == 'json')}"},
            "one": "--seeds 1 --alphas 0,0.1",
        }
        return [*shlex.split(row.command.format(**named)), *["--json"] * (mode == "json")]


def _image() -> Setup:
    for name in ("cat", "dog", "owl"):
        write_pictures(Path("pictures", name), [(8, 8)] * 30)
    settings = {"data.size": 8, "model.name": "mlp", "model.width": 8}
    return Setup("image", "pictures", settings, "cat,dog,owl")


def _translation() -> Setup:
    small_translation.write_parallel_text(Path("text"))
    settings = {**small_translation.SETTINGS, "decoding.beam_size": 1}
    return Setup("translation", "text", settings, "262,263,289")


def _speech() -> Setup:
    speech_files.write_manifest(Path("own"), {"train": 24, "validation": 6, "test": 6})
    settings = {k: v for k, v in small_speech.SETTINGS.items() if k != "training.epochs"}
    sound = {"data.sample_rate": speech_files.RATE, "data.max_seconds": 1, "decoding.beam_size": 1}
    return Setup("speech", "own/manifest.tsv", settings | sound, "low,mid,high")


def _keras() -> Setup:
    own_files.write_model(Path())
    own_files.write_data(Path())
    x, y = own_files.points()
    np.savez("logits.npz", y=y, logits=x[:, :3])
    return Setup("keras", "points.npz", {}, "0,1,2", "--model model.py:build_model")


SETUPS = {"image": _image, "translation": _translation, "speech": _speech, "keras": _keras}


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("task", TASKS)
def test_every_command_answers_in_text_and_json(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    setup, wrong = SETUPS[task](), []
    for row in ROWS:
        if task not in row.tasks:
            continue
        for mode in ("text", "json") if row.json else ("text",):
            arguments = setup.arguments(row, mode)
            wrong += [f"{shlex.join(arguments)}: {one}" for one in _faults(row, arguments, mode)]
    assert not wrong, "\n\n".join(wrong)


def _faults(row: Row, arguments: list[str], mode: str) -> list[str]:
    """Runs a command, and returns what is wrong with what it did."""
    done = CliRunner().invoke(cli, arguments, prog_name="lsk", input=row.stdin)
    if row.error and isinstance(done.exception, LsKerasError):
        return [] if str(done.exception).startswith(row.error) else [str(done.exception)]
    if done.exit_code != 0 or row.error:
        return [f"exit code {done.exit_code}, {done.exception!r}, {done.stderr}"]
    faults = ["a traceback"] * ("Traceback" in done.output)
    if mode == "json":
        try:
            json.loads(done.stdout)
        except ValueError as error:
            faults.append(f"no JSON: {error}")
    else:
        lines = done.stdout.replace(str(Path.cwd()), "").splitlines()  # paths are not broken
        faults += [f"wide: {line}" for line in lines if len(line) > 80]
    promised = [name.format(mode=mode) for name in row.files]
    promised += PROMISED.findall(done.stdout) if mode == "text" else []
    return faults + [f"no file {name}" for name in promised if not Path(name).exists()]


def test_every_command_has_a_row():
    commands = {row.command.split()[0] for row in ROWS}
    assert commands == {*cli.list_commands(click.Context(cli))}
