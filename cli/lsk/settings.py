"""`lsk settings`."""

import dataclasses
import shutil

import click

from lsk.support import options


@click.command(short_help="Every setting of a task: type, default, meaning; as TOML.")
@click.argument("task_name", metavar="TASK")
@click.option("--preset", help="A recipe of the task. [default: the task's first]")
@options.model
@options.data
@options.settings("Change any setting.")
@options.as_json
def settings(
    task_name: str,
    preset: str | None,
    model: str | None,
    data: str | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print every setting of TASK, resolved, each below what it means, its type and default.

    \b
    lsk settings translation --preset cldr-small > mine.toml
    lsk train --config mine.toml --alpha 0.1

    The output is TOML, which `lsk train --config` reads: all of it, or the lines that differ.
    """  # noqa: D301 - \b is Click's mark for lines to be left as they are
    from lsk_engine.settings.resolving import resolve_config
    from lsk_engine.settings.settings_docs import document_settings
    from lsk_engine.settings.toml_files import settings_text
    from lsk_engine.tasks.registry import load_task

    task = load_task(task_name)
    given = {"model.name": model, "data.source": data}
    overrides = {key: value for key, value in given.items() if value is not None}
    config = resolve_config(task, preset, overrides | options.assignments(assignments))
    if as_json:
        described = [dataclasses.asdict(setting) for setting in document_settings(task)]
        whole = {"schema": 1, "settings": described, "config": config.to_dict()}
        options.echo_json(whole)
        return
    width = min(shutil.get_terminal_size((88, 24)).columns, 100)
    click.echo(settings_text(task, config, width=width), nl=False)
