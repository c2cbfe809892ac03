"""The help of every command fits 80 columns, with unbroken names and examples."""

import re

import click
import pytest
from click.testing import CliRunner

from lsk.main import cli

COMMANDS = cli.list_commands(click.Context(cli))
EXAMPLE = re.compile(r" {2}(?:cat \S+ \| )?lsk ")


def help_of(*command):
    """Returns the lines that Click makes for 80 columns, of which it leaves two."""
    done = CliRunner().invoke(cli, [*command, "--help"], prog_name="lsk", terminal_width=78)
    return done.stdout.splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lines_fit_and_names_are_not_broken(command):
    lines = help_of(command)
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines if re.search(r"\w-$", line)] == []
    assert not any("\u2011" in line for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_single_lines(command):
    """A shell would take an example that Click has wrapped for two commands."""
    text = cli.get_command(click.Context(cli), command).help or ""
    written = [line.strip() for line in text.splitlines() if EXAMPLE.match(f"  {line.strip()}")]
    shown = [line.strip() for line in help_of(command) if EXAMPLE.match(line)]
    assert shown == written


def test_the_list_of_commands_fits():
    assert [line for line in help_of() if len(line) > 80] == []
