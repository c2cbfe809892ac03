"""The help of every command on 80 columns: lines fit, names and examples are whole."""

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
def test_no_line_is_longer_and_no_name_is_broken(command):
    lines = help_of(command)
    assert [line for line in lines if len(line) > 80] == []
    assert [line for line in lines if re.search(r"\w-$", line)] == []
    assert not any("\u2011" in line for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_are_lines_of_their_own(command):
    """A shell takes a line that Click has filled for two commands."""
    text = cli.get_command(click.Context(cli), command).help or ""
    written = [line.strip() for line in text.splitlines() if EXAMPLE.match(f"  {line.strip()}")]
    shown = [line.strip() for line in help_of(command) if EXAMPLE.match(line)]
    assert shown == written


def test_the_program_says_its_commands_in_lines_that_fit():
    assert [line for line in help_of() if len(line) > 80] == []
