"""`lsk probe`."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lsk.support import options, tables
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
    help="The image; an SVG and its numbers, as CSV and JSON, go beside it. [default: in the run]",
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

    Train with `--set training.keep_every=STEPS`, so that checkpoints stay.
    """
    from lsk_engine.runs.stored_run import open_run

    directory, task, config = open_run(run, backend)
    with needing_extra(task), contextlib.ExitStack() as held:
        from lsk_engine.scoring.mutual_information import probe as measure

        if output is None:
            held.enter_context(directory.lock())
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
        options.echo_json(results)
        return
    history = results["history"]
    tables.echo(_table(history, results), tables.note(_told(history)))
    tables.echo_saved(output)


def _table(history: Sequence[Mapping[str, Any]], results: Mapping[str, Any]):
    from lsk_engine.reports.tables import Column, Table, Value

    values = [Value(e["mutual_information"], e["low"], e["high"]) for e in history]
    names = f"{' and '.join(results['names'])}, {results['split']} (nats)"
    steps = Column("step", [f"{entry['step']:,}" for entry in history])
    return tables.row_table(Table("", [steps, Column(names, values)]))


def _told(history: Sequence[Mapping[str, Any]]) -> str:
    number = max(int(entry.get("num_examples", 0)) for entry in history)
    most = f", log N = {math.log(number):.2f} tells all N = {number} examples" * (number > 1)
    return (
        "Mutual information: how much logits tell of which example they come from. log 2 = 0.69 "
        f"tells its class alone{most}. Where it falls, the network forgets what tells examples of "
        "a class apart, which a student would learn from it. In brackets: 95 % interval."
    )
