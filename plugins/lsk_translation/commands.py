"""The commands that the translation task adds to `lsk`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ls_base.errors import InputError
from ls_base.safe_open import read_bytes
from lsk.support import options
from lsk.support.options import read_stdin
from lsk_engine.devices.backend import load_backend
from lsk_engine.tasks.registry import needing_extra

if TYPE_CHECKING:
    from lsk_translation.scoring import Translation

_WRONG = 4  # exit code of a failed check, see docs/cli.md
_MAX_BYTES = 1 << 28  # read before the first line is translated


@click.command(short_help="Translate lines with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@options.beam(4)
@options.length_penalty(0.6)
@options.temperature
@options.unsmooth
@options.n_best("Show N translations per line: line number, tab, translation.")
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
    unsmooth: float | str | None,
    n_best: int | None,
    scores: bool,
    batch_size: int | None,
    backend: str | None,
    quiet: bool,
) -> None:
    """Translate the lines of FILE (default: stdin) with the model of RUN, one line for each.

    Blank lines stay blank. Lines are translated in batches of similar length; the output keeps
    their order.
    """
    from lsk_engine.runs.stored_run import open_for_decoding

    decoding = {
        "beam_size": beam,
        "length_penalty": length_penalty,
        "temperature": temperature,
        "unsmooth": unsmooth,
        "batch_size": batch_size,
    }
    directory, task, config = open_for_decoding(
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
        for text, score, *_ in found.get(i, [("", 0.0)]):
            columns = [str(i + 1)] * bool(n_best) + [f"{score:.4f}"] * scores
            click.echo("\t".join([*columns, text]))


@click.command(short_help="Test a translator on phrases that it has never seen.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--count", type=int, default=5, show_default=True, help="Phrases to test, 1 to 200.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the phrases.")
@options.backend
@options.quiet
def phrases(run: Path, count: int, seed: int, backend: str | None, quiet: bool) -> None:
    """Translate phrases that were held out of the training text of RUN, and check them.

    They are dates, times, numbers, amounts, measures and places, generated with Unicode CLDR, whose
    correct translations are all known. The exit code is 4 unless all are right.
    """
    from lsk_engine.runs.stored_run import open_for_decoding

    directory, task, config = open_for_decoding(run, "translation", decoding={})
    with needing_extra(task):
        from lsk_translation.cldr.phrases import draw_held_out

        drawn = draw_held_out(count, seed)
    generated = config.data.source == "cldr" and config.data.source_language == "en"
    if not (generated and config.data.phrase_fraction):
        raise InputError(
            "Expected a run trained from English on data.source=cldr with data.phrase_fraction "
            f"above 0, where the phrases were held out. Received: {run}, on {config.data.source} "
            f"with {config.data.phrase_fraction:g}"
        )
    load_backend(backend)
    with needing_extra(task):
        from lsk_translation.translate_lines import translate_lines

        found = translate_lines(
            directory, config, [p.english for p in drawn], options.reporter(False, quiet)
        )
    wrong = 0
    for phrase, (best, *_) in zip(drawn, found, strict=True):
        right = best.text in phrase.german
        wrong += not right
        expected = "" if right else f"  (expected: {phrase.german[0]})"
        click.echo(f"{'✓' if right else '✗'} {phrase.english} → {best.text}{expected}")
    click.echo(f"{len(drawn) - wrong} of {len(drawn)} right")
    if wrong:
        raise click.exceptions.Exit(_WRONG)


def _read_lines(file: Path | None) -> list[str]:
    """Reads lines in the way training text is read."""
    from lsk_engine.data.formats.text_files import split_lines  # NumPy: not for `lsk --help`

    if file is None:
        return split_lines(read_stdin("text", _MAX_BYTES), "stdin")
    return split_lines(read_bytes(file, max_bytes=_MAX_BYTES, error=InputError), str(file))
