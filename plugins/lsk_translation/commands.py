"""The commands that the translation task adds to `lsk`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ls_base.errors import InputError
from lsk_engine.devices.backend import BACKENDS, load_backend
from lsk_engine.progress import Reporter

if TYPE_CHECKING:
    from lsk_translation.decoding import Translation


class _Temperature(click.ParamType):
    """A number, or the word `fitted`."""

    name = "T|fitted"

    def convert(self, value, param, ctx):
        """Returns a float, or `"fitted"`."""
        if value == "fitted":
            return value
        try:
            return float(value)
        except ValueError:
            self.fail(f"Expected a number or 'fitted'. Received: {value!r}", param, ctx)


@click.command(short_help="Translate lines with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--beam", type=int, help="Live beams; 1 is greedy search. [default: the run's, 4]")
@click.option(
    "--length-penalty",
    type=float,
    help="Exponent a of ((5 + length) / 6)^a, which divides log p. [default: the run's, 0.6]",
)
@click.option(
    "--temperature",
    type=_Temperature(),
    help="T that divides the logits, or the one that `lsk calibrate` fitted. [default: 1]",
)
@click.option(
    "--n-best", type=int, metavar="N", help="N translations a line: line number, tab, translation."
)
@click.option("--scores", is_flag=True, help="Each translation's score and a tab before it.")
@click.option("--batch-size", type=int, help="Sentences decoded together. [default: 64]")
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="Keras backend. [default: KERAS_BACKEND, else tensorflow]",
)
@click.option("-q", "--quiet", is_flag=True, help="Only warnings, no progress.")
def translate(
    run: Path,
    file: Path | None,
    beam: int | None,
    length_penalty: float | None,
    temperature: float | str | None,
    n_best: int | None,
    scores: bool,
    batch_size: int | None,
    backend: str | None,
    quiet: bool,
) -> None:
    """Translate the lines of FILE (default: stdin) with the model of RUN; one line out for each.

    Blank lines stay blank. Lines are translated in batches of similar length and come out in
    their own order.
    """
    from lsk_engine.runs.stored_run import open_for_search
    from lsk_engine.tasks.registry import needing_extra

    decoding = {
        "beam_size": beam,
        "length_penalty": length_penalty,
        "temperature": temperature,
        "batch_size": batch_size,
    }
    directory, task, config = open_for_search(
        run, "translation", num_return=n_best, decoding=decoding
    )
    lines = _read_lines(file)
    filled = [i for i, line in enumerate(lines) if line.strip()]
    found: dict[int, list[Translation]] = {}
    if filled:
        load_backend(backend)
        with needing_extra(task):
            from lsk_translation.translate_lines import translate_lines

            translations = translate_lines(
                directory,
                config,
                [lines[i] for i in filled],
                Reporter(verbosity=-1 if quiet else 0),
                num_return=n_best or 1,
            )
        found = dict(zip(filled, translations, strict=True))
    for i in range(len(lines)):
        for text, score in found.get(i, [("", 0.0)]):
            columns = [str(i + 1)] * bool(n_best) + [f"{score:.4f}"] * scores
            click.echo("\t".join([*columns, text]))


def _read_lines(file: Path | None) -> list[str]:
    """Reads UTF-8 lines; the number of a line that is none is told."""
    try:
        content = sys.stdin.buffer.read() if file is None else file.read_bytes()
    except OSError as error:
        raise InputError(
            f"Expected a readable file. Received: {file} ({error.strerror})"
        ) from error
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    texts = []
    for number, line in enumerate(lines, 1):
        try:
            texts.append(line.decode("utf-8").rstrip("\r"))
        except UnicodeDecodeError as error:
            name = os.fspath(file) if file else "stdin"
            raise InputError(
                f"Expected UTF-8 text. Received: {name}, line {number}: {error.reason}"
            ) from error
    return texts
