"""`lsk tasks`."""

import json
from typing import Any

import click

from ls_base.errors import LsKerasError
from lsk import options
from lsk_engine.tasks.registry import TASK_GROUP, load_task, plugins


@click.command(short_help="List tasks, presets, models and data sets.")
@options.as_json
def tasks(as_json: bool) -> None:
    """List the installed tasks with their presets, models and data sets."""
    found: list[dict[str, Any]] = []
    for plugin in plugins(TASK_GROUP):
        entry: dict[str, Any] = {"name": plugin.name, "distribution": plugin.distribution}
        try:
            task = load_task(plugin.name)
        except LsKerasError as error:
            entry["error"] = str(error)
        else:
            entry |= {
                "summary": task.summary,
                "presets": {p.name: f"{p.purpose} ({p.expected})" for p in task.presets},
                "models": dict(task.models),
                "data": dict(task.data_sources),
            }
        found.append(entry)
    if as_json:
        click.echo(json.dumps({"tasks": found}, ensure_ascii=False))
        return
    for entry in found:
        if "error" in entry:
            click.echo(f"{entry['name']}: broken. {entry['error']}")
            continue
        click.echo(f"{entry['name']}: {entry['summary']} ({entry['distribution']})")
        for part in ("presets", "models", "data"):
            for name, text in entry[part].items():
                click.echo(f"  {part:8} {name:16} {text}")
