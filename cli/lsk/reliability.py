"""`lsk reliability`."""

import json
from pathlib import Path

import click

from lsk import options
from lsk_engine.devices.backend import load_backend


@click.command(short_help="Draw several runs in one reliability diagram.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--split", default="test", show_default=True, help="Which split to draw.")
@options.image("reliability.png")
@options.as_json
def reliability(runs: tuple[Path, ...], split: str, output: Path, as_json: bool) -> None:
    """Draw the reliability curves of evaluated RUNS over one another.

    A run that `lsk evaluate --calibrated` has scored too contributes both of its curves.
    """
    from lsk_engine.runs.run_directory import RunDirectory

    directories = [RunDirectory.open(run) for run in runs]
    load_backend()
    from lsk_engine.scoring.compare import compare_reliability

    curves = compare_reliability(directories, split, output)
    if as_json:
        summary = {
            name: {
                "ece": c.ece,
                "ece_low": c.ece_low,
                "ece_high": c.ece_high,
                "temperature": c.temperature,
            }
            for name, c in curves.items()
        }
        click.echo(json.dumps({"schema": 1, "split": split, "curves": summary}, ensure_ascii=False))
        return
    for name, curve in curves.items():
        true = f"the true one, without the bins' noise: {curve.ece_low:.4f} – {curve.ece_high:.4f}"
        click.echo(f"{name}: ECE {curve.ece:.4f} ({true})")
    click.echo(f"Saved: {output.with_suffix('.png')}")
