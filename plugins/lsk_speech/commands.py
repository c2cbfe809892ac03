"""The commands that the speech task adds to `lsk`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lsk_engine.devices.backend import BACKENDS, load_backend
from lsk_engine.progress import Reporter

if TYPE_CHECKING:
    from lsk_speech.transcribe_files import Transcript


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


@click.command(short_help="Transcribe recordings with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE…")
@click.option("--beam", type=int, help="Live beams; 1 is greedy search. [default: the run's, 4]")
@click.option(
    "--length-penalty",
    type=float,
    help="Exponent a of ((5 + length) / 6)^a, which divides log p. [default: the run's, 0]",
)
@click.option(
    "--coverage",
    type=float,
    help="What each frame that was attended to adds to the score. [default: the run's, 0]",
)
@click.option(
    "--temperature",
    type=_Temperature(),
    help="T that divides the logits, or the one that `lsk calibrate` fitted. [default: 1]",
)
@click.option(
    "--n-best",
    type=int,
    metavar="N",
    help="The best N transcripts that came to an end: file, tab, transcript.",
)
@click.option("--scores", is_flag=True, help="Each transcript's score and a tab before it.")
@click.option("--batch-size", type=int, help="Recordings decoded together. [default: 32]")
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    help="Keras backend. [default: KERAS_BACKEND, else tensorflow]",
)
@click.option("-q", "--quiet", is_flag=True, help="Only warnings, no progress.")
def transcribe(
    run: Path,
    files: tuple[Path, ...],
    beam: int | None,
    length_penalty: float | None,
    coverage: float | None,
    temperature: float | str | None,
    n_best: int | None,
    scores: bool,
    batch_size: int | None,
    backend: str | None,
    quiet: bool,
) -> None:
    """Write down what is said in each FILE (WAV or FLAC, mono) with the model of RUN.

    One line a file, in their order; with several files, the file's name and a tab come first.
    """
    from lsk_engine.runs.stored_run import open_for_search
    from lsk_engine.tasks.registry import needing_extra

    decoding = {
        "beam_size": beam,
        "length_penalty": length_penalty,
        "coverage": coverage,
        "temperature": temperature,
        "batch_size": batch_size,
    }
    directory, task, config = open_for_search(run, "speech", num_return=n_best, decoding=decoding)
    load_backend(backend)
    found: list[list[Transcript]]
    with needing_extra(task):
        from lsk_speech.transcribe_files import transcribe_files

        found = transcribe_files(
            directory,
            config,
            files,
            Reporter(verbosity=-1 if quiet else 0),
            num_return=n_best or 1,
        )
    named = bool(n_best) or len(files) > 1
    for file, transcripts in zip(files, found, strict=True):
        for text, score in transcripts:
            columns = [str(file)] * named + [f"{score:.4f}"] * scores
            click.echo("\t".join([*columns, text]))
