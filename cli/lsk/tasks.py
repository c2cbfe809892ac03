"""`lsk tasks`."""

import json
from typing import Any

import click

from ls_base.errors import LsKerasError
from lsk import options, tables
from lsk_engine.tasks.registry import TASK_GROUP, load_task, plugins


@click.command(short_help="List tasks, presets, models and data sets.")
@click.argument("name", required=False)
@options.as_json
def tasks(name: str | None, as_json: bool) -> None:
    """List the installed tasks, or the one NAME, with their presets, models and data sets."""
    found: list[dict[str, Any]] = []
    installed = plugins(TASK_GROUP)
    if name is not None and name not in [plugin.name for plugin in installed]:
        load_task(name)  # which tells the near matches
    for plugin in installed:
        if name not in (None, plugin.name):
            continue
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
    for number, entry in enumerate(found):
        if number:
            click.echo()
        if "error" in entry:
            tables.echo(f"{entry['name']}: broken. {entry['error']}")
            continue
        tables.echo(f"{entry['name']}: {entry['summary']} ({entry['distribution']})")
        rows = [
            (f"  {part}" if number == 0 else "", one, text)
            for part in ("presets", "models", "data")
            for number, (one, text) in enumerate(entry[part].items())
        ]
        tables.echo(tables.listed(rows))
    if name is not None:
        click.echo(f"Every setting with its meaning: lsk settings {name}")
