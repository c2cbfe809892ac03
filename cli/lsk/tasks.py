"""`lsk tasks`."""

from typing import Any

import click

from ls_base.errors import InputError, LsKerasError, shell_command
from lsk.support import options, tables
from lsk_engine.tasks.contract import Task
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
        options.echo_json({"schema": 1, "tasks": found})
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
        tables.echo(tables.plain_table(rows))
    if name is not None and "error" not in found[0]:
        command = shell_command("lsk", "settings", name, *_needed(load_task(name)))
        click.echo(f"All settings: {command}")


def _needed(task: Task) -> list[str]:
    """Returns the options of a task that has no settings without a model and data of a user's."""
    from lsk_engine.settings.resolving import resolve_config

    try:
        resolve_config(task, None, {})
    except InputError:
        return ["--model", next(iter(task.models)), "--data", next(iter(task.data_sources))]
    return []
