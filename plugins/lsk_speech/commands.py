"""The commands that the speech task adds to `lsk`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lsk.support import options
from lsk_engine.devices.backend import load_backend
from lsk_engine.progress import wrap_message
from lsk_engine.tasks.registry import needing_extra

if TYPE_CHECKING:
    from lsk_speech.transcribe_files import Transcript


@click.command(short_help="Transcribe recordings with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE…")
@options.beam(4)
@options.length_penalty(0)
@click.option(
    "--coverage",
    type=float,
    help="Reward for each frame that received attention. [default: the run's, 0]",
)
@options.temperature
@options.unsmooth
@options.n_best("Show the N best complete transcripts: file, tab, transcript.")
@options.scores("transcript")
@options.batch_size("Recordings", 32)
@options.backend
@options.quiet
def transcribe(
    run: Path,
    files: tuple[Path, ...],
    beam: int | None,
    length_penalty: float | None,
    coverage: float | None,
    temperature: float | str | None,
    unsmooth: float | str | None,
    n_best: int | None,
    scores: bool,
    batch_size: int | None,
    backend: str | None,
    quiet: bool,
) -> None:
    """Transcribe each FILE (WAV or FLAC, mono) with the model of RUN.

    One line per file, in their order; with several files, the name and a tab come first. A file
    that cannot be used is reported on stderr; the others continue, and the exit code is 2.
    """
    from lsk_engine.runs.stored_run import open_for_decoding

    decoding = {
        "beam_size": beam,
        "length_penalty": length_penalty,
        "coverage": coverage,
        "temperature": temperature,
        "unsmooth": unsmooth,
        "batch_size": batch_size,
    }
    directory, task, config = open_for_decoding(run, "speech", num_return=n_best, decoding=decoding)
    load_backend(backend)
    found: list[list[Transcript] | str]
    with needing_extra(task):
        from lsk_speech.transcribe_files import transcribe_files

        found = transcribe_files(
            directory,
            config,
            files,
            options.reporter(False, quiet),
            num_return=n_best or 1,
        )
    named = bool(n_best) or len(files) > 1
    for file, transcripts in zip(files, found, strict=True):
        if isinstance(transcripts, str):
            click.echo(wrap_message(f"Error: {transcripts}", sys.stderr), err=True)
            continue
        for text, score in transcripts:
            columns = [str(file)] * named + [f"{score:.4f}"] * scores
            click.echo("\t".join([*columns, text]))
    if any(isinstance(one, str) for one in found):
        raise click.exceptions.Exit(2)
