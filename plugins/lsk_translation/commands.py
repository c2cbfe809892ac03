"""The commands that the translation task adds to `lsk`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ls_base.errors import InputError
from ls_base.reading import read_bytes
from lsk import options
from lsk_engine.data.own_files import LONGEST_LINE
from lsk_engine.devices.backend import load_backend
from lsk_engine.tasks.registry import needing_extra

if TYPE_CHECKING:
    from lsk_translation.decoding import Translation

_MOST_BYTES = 1 << 28  # read before the first line is translated


@click.command(short_help="Translate lines with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@options.beam(4)
@options.length_penalty(0.6)
@options.temperature
@options.n_best("N translations a line: line number, tab, translation.")
@options.scores("translation")
@options.batch_size("Sentences", 64)
@options.backend
@options.quiet
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
                options.reporter(False, quiet),
                num_return=n_best or 1,
            )
        found = dict(zip(filled, translations, strict=True))
    for i in range(len(lines)):
        for text, score in found.get(i, [("", 0.0)]):
            columns = [str(i + 1)] * bool(n_best) + [f"{score:.4f}"] * scores
            click.echo("\t".join([*columns, text]))


def _read_lines(file: Path | None) -> list[str]:
    """Reads UTF-8 lines; the number of a line that is none is told."""
    name = str(file) if file else "stdin"
    if file is None:
        content = sys.stdin.buffer.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InputError(
                f"Expected at most {_MOST_BYTES:,} bytes of text at once. Received: more on {name}"
            )
    else:
        content = read_bytes(file, most=_MOST_BYTES, error=InputError)
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    texts = []
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise InputError(
                f"Expected lines of at most {LONGEST_LINE:,} bytes, a sentence each. "
                f"Received: {len(line):,} bytes in line {number} of {name}"
            )
        try:
            texts.append(line.decode("utf-8").rstrip("\r"))
        except UnicodeDecodeError as error:
            raise InputError(
                f"Expected UTF-8 text. Received: {name}, line {number}: {error.reason}"
            ) from error
    return texts
