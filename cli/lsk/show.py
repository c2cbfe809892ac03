"""`lsk show`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lsk import options
from lsk.results import show as show_results


@click.command(short_help="Show what a run is and how it went.")
@click.argument("run", type=click.Path(path_type=Path))
@options.as_json
def show(run: Path, as_json: bool) -> None:
    """Show the configuration, history and scores of RUN; reads files only."""
    from ls_base.reading import is_there
    from lsk_engine.runs.run_directory import RunDirectory

    directory = RunDirectory.open(run)
    config = directory.read_config()
    history = directory.read_history()
    metrics = directory.read_metrics().to_dict() if is_there(directory.metrics_file) else None
    if as_json:
        whole = {"config": config, "history": history, "metrics": metrics}
        click.echo(json.dumps(whole, ensure_ascii=False))
        return
    click.echo(f"task {config['task']}, preset {config['preset']}")
    for part, values in config.items():
        if isinstance(values, dict):
            shown = ", ".join(f"{k}={v}" for k, v in values.items() if v is not None)
            click.echo(f"{part}: {shown}")
    for entry in history[-5:]:
        parts = (f"{name} {values}" for name, values in _shown(entry).items())
        click.echo(f"epoch {entry['epoch']}, step {entry['step']:,}: {'; '.join(parts)}")
    if metrics is None:
        click.echo(f"unfinished; go on with: lsk train --resume {run}")
    else:
        show_results(metrics, as_json=False)


def _shown(entry: Mapping[str, Any]) -> dict[str, str]:
    """Returns the scores of a history entry by split; an epoch need not have been validated."""
    return {
        split: ", ".join(f"{name} {value:.4g}" for name, value in entry[split].items())
        for split in ("train", "validation")
        if entry[split]
    }
