"""The command-line page, written from the commands themselves whenever the docs are built."""

from collections.abc import Iterator

import click

PAGE = "cli"


def reference(group: click.Group, program: str) -> str:
    """Returns a Markdown section for each command of `group`, those of plugins included.

    Args:
        group: The program's commands.
        program: What a person types before a command's name.
    """
    context = group.context_class(
        group,
        info_name=program,
        terminal_width=88,
        max_content_width=88,
        **group.context_settings,
    )
    sections = [f"## `{program}`\n\n{_fenced(group.get_help(context))}"]
    for name, command in _commands(group, context):
        inner = command.context_class(command, info_name=name, parent=context)
        sections.append(f"## `{program} {name}`\n\n{_fenced(command.get_help(inner))}")
    return "\n\n".join(sections) + "\n"


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.short_help == "(broken plugin)":
            raise ValueError(f"Expected every command to load. Received: {name}, which does not")
        yield name, command


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def _append(app, docname: str, source: list[str]) -> None:
    if docname == PAGE:
        from lsk.main import cli

        source[0] += "\n" + reference(cli, "lsk")


def setup(app):
    """Connects the page to Sphinx."""
    app.connect("source-read", _append)
    # Its text depends on code that Sphinx does not watch.
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: [PAGE])
    return {"parallel_read_safe": True}
