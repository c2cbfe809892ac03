"""The commands that the image task adds to `lsk`."""

import sys
from pathlib import Path

import click

from ls_base.errors import InputError
from lsk.support import options
from lsk.support.options import read_stdin
from lsk_engine.devices.backend import load_backend
from lsk_engine.progress import wrap_message
from lsk_engine.tasks.registry import needing_extra

_MAX_BYTES = 1 << 28  # of a picture on stdin


@click.command(short_help="Classify pictures with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--top",
    type=int,
    default=2,
    show_default=True,
    metavar="K",
    help="Show the K most likely classes.",
)
@options.temperature
@options.batch_size("Pictures", 500)
@options.backend
@options.as_json
@options.quiet
def classify(
    run: Path,
    files: tuple[Path, ...],
    top: int,
    temperature: float | str | None,
    batch_size: int | None,
    backend: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Classify each FILE with the model of RUN; one line a picture.

    \b
    lsk classify RUN photo.jpg more/*.png
    lsk classify RUN photo.jpg --top 5 --temperature fitted
    cat photo.jpg | lsk classify RUN -

    FILE is a JPEG, PNG or other picture, an .npz file with `images` or `jpeg`, or `-` for a picture
    on stdin. A line has the file and the most likely classes with their probabilities, separated by
    tabs. A picture that cannot be read is reported on stderr; the others continue, and the exit
    code is 2.
    """  # noqa: D301 - Click keeps the lines of a paragraph that begins with \b
    from lsk_engine.runs.stored_run import check_task, read_fitted_temperature, read_run

    if top < 1 or (batch_size is not None and batch_size < 1):
        raise InputError(
            "Expected --top and --batch-size of at least 1. "
            f"Received: {top if top < 1 else batch_size}"
        )
    scale = read_fitted_temperature(run) if isinstance(temperature, str) else temperature or 1.0
    if temperature == 0 or not 0 < scale < float("inf"):
        raise InputError(f"Expected --temperature above 0. Received: {temperature}")
    check_task(run, "image")
    directory, task, config = read_run(run)
    stdin = read_stdin("a picture", _MAX_BYTES) if Path("-") in files else None
    load_backend(backend)
    found, failed = [], []
    with needing_extra(task):
        from lsk_image.classify_files import classify_files

        reporter = options.reporter(False, quiet)
        for one in classify_files(
            directory,
            config,
            files,
            reporter,
            stdin=stdin,
            top=top,
            temperature=scale,
            batch_size=batch_size,
        ):
            if one.error:
                failed.append({"file": one.file, "error": one.error})
                click.echo(wrap_message(f"Error: {one.error}", sys.stderr), err=True)
            elif as_json:
                classes = [{"class": name, "probability": p} for name, p in one.predictions]
                found.append({"file": one.file, "classes": classes})
            else:
                columns = (text for name, p in one.predictions for text in (name, f"{p:.4f}"))
                click.echo("\t".join([one.file, *columns]))
    if as_json:
        results = {
            "schema": 1,
            "run": str(run),
            "temperature": scale,
            "pictures": found,
            "failed": failed,
        }
        options.echo_json(results)
    if failed:
        raise click.exceptions.Exit(2)
