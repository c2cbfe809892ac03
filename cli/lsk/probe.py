"""`lsk probe`."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lsk.support import options, tables
from lsk_engine.tasks.registry import needing_extra


@click.command(short_help="Estimate mutual information between examples and logits.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--classes",
    type=options.Names(),
    required=True,
    metavar="A,B",
    help="Two classes, by name or number.",
)
@click.option("--split", default="train", show_default=True, help="Split of the examples.")
@click.option("--examples", default=300, show_default=True, help="Number of examples per class.")
@click.option(
    "--draws", default=5, show_default=True, help="Number of augmentations of each example."
)
@click.option(
    "--leave-one-out/--no-leave-one-out",
    default=True,
    show_default=True,
    help="Exclude the scored augmentation from the mean of its example.",
)
@click.option(
    "--seed", default=0, show_default=True, help="Random seed of examples and augmentations."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Image file; an SVG and its numbers as CSV and JSON go beside it. [default: in the run]",
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
    leave_one_out: bool,
    seed: int,
    output: Path | None,
    backend: str | None,
    as_json: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Estimate the mutual information between examples and logits at the checkpoints of RUN.

    Train with `--set training.keep_every=STEPS`, so that checkpoints are kept.
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
            scored="held_out" if leave_one_out else "reused",
            seed=seed,
        )
    if as_json:
        options.echo_json(results)
        return
    history = results["history"]
    tables.echo(_table(history, results), tables.note(_explain(history)))
    tables.echo_saved(output)


def _table(history: Sequence[Mapping[str, Any]], results: Mapping[str, Any]):
    from lsk_engine.reports.tables import Column, Table, Value

    values = [Value(e["mutual_information"], e["low"], e["high"]) for e in history]
    names = f"{' and '.join(results['names'])}, {results['split']} (nats)"
    steps = Column("step", [f"{entry['step']:,}" for entry in history])
    return tables.row_table(Table("", [steps, Column(names, values)]))


def _explain(history: Sequence[Mapping[str, Any]]) -> str:
    number = max(int(entry.get("num_examples", 0)) for entry in history)
    most = f", at log N = {math.log(number):.2f} all N = {number} examples" * (number > 1)
    return (
        "Mutual information: how well the logits identify the example they were computed from. At "
        f"log 2 = 0.69 they distinguish the two classes only{most}. Where it falls, the network "
        "forgets the differences between examples of a class, which a student would learn from it. "
        "In brackets: 95 % interval."
    )
