"""`lsk probe`."""

import contextlib
import json
from pathlib import Path

import click

from lsk import options
from lsk_engine.tasks.registry import needing_extra


@click.command(short_help="Measure what logits tell about single examples, over checkpoints.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--classes",
    type=options.Names(),
    required=True,
    metavar="A,B",
    help="Two classes, by name or number.",
)
@click.option("--split", default="train", show_default=True, help="Where the examples are from.")
@click.option("--examples", default=300, show_default=True, help="Examples a class.")
@click.option("--draws", default=5, show_default=True, help="Augmentations of each example.")
@click.option(
    "--scored",
    type=click.Choice(["held-out", "reused"]),
    default="held-out",
    show_default=True,
    help="Whether a scored draw is left out of its example's mean.",
)
@click.option("--seed", default=0, show_default=True, help="Of examples and augmentations.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The image; numbers go beside it as CSV and JSON. [default: in the run]",
)
@options.backend
@options.as_json
@options.verbosity
def probe(
    run: Path,
    classes: tuple[str, ...],
    split: str,
    examples: int,
    draws: int,
    scored: str,
    seed: int,
    output: Path | None,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Estimate the mutual information between examples and logits at the checkpoints of RUN.

    Train with `--set training.checkpoints_kept_every=STEPS`, so that checkpoints stay.
    """
    from lsk_engine.runs.stored_run import open_run

    directory, task, config = open_run(run, backend)
    with needing_extra(task), contextlib.ExitStack() as held:
        from lsk_engine.scoring.probe import probe as measure

        if output is None:
            held.enter_context(directory.at_work())
            output = directory.information_file
        results = measure(
            task,
            config,
            directory,
            options.reporter(verbose, quiet),
            output,
            classes=classes,
            split=split,
            per_class=examples,
            draws=draws,
            scored=scored.replace("-", "_"),  # type: ignore[arg-type]
            seed=seed,
        )
    if as_json:
        click.echo(json.dumps(results, ensure_ascii=False))
        return
    click.echo(f"{'step':>10}  {'nats':>7}  {'95 % interval':>16}")
    for entry in results["history"]:
        interval = f"{entry['low']:.3f} – {entry['high']:.3f}"
        click.echo(f"{entry['step']:>10,}  {entry['mutual_information']:7.3f}  {interval:>16}")
    click.echo(f"Saved: {output.with_suffix('.png')}")
