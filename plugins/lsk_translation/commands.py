"""The commands that the translation task adds to `lsk`."""

import os
import sys
from pathlib import Path

import click

from ls_keras.errors import InputError
from ls_keras.progress import Reporter


@click.command(short_help="Translate lines with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("-q", "--quiet", is_flag=True, help="Only warnings, no progress.")
def translate(run: Path, file: Path | None, quiet: bool) -> None:
    """Translate the lines of FILE (default: stdin) with the model of RUN; one line out for each.

    Blank lines stay blank. Lines are translated in batches of similar length and come out in
    their own order.
    """
    from ls_keras.registry import needing_extra
    from ls_keras.run_directory import RunDirectory
    from ls_keras.stored_run import open_run

    stored = RunDirectory.open(run).read_config()
    if stored["task"] != "translation":
        raise InputError(
            f"Expected a run of task 'translation'. Received: one of '{stored['task']}'"
        )
    lines = _read_lines(file)
    filled = [i for i, line in enumerate(lines) if line.strip()]
    found = [""] * len(lines)
    if filled:
        directory, task, config = open_run(run)
        reporter = Reporter(verbosity=-1 if quiet else 0)
        with needing_extra(task):
            from lsk_translation.translate_lines import translate_lines

            texts = translate_lines(directory, config, [lines[i] for i in filled], reporter)
        for i, text in zip(filled, texts, strict=True):
            found[i] = text
    for line in found:
        click.echo(line)


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
