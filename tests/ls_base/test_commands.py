"""Commands as a shell reads them."""

import re
import shlex
from pathlib import Path

from ls_base.errors import shell_command

ROOT = Path(__file__).parents[2]
UNQUOTED = re.compile(r"lsk [a-z][a-z -]*\{")


def test_a_shell_reads_the_words_that_were_given():
    words = ("lsk", "show", Path("it's/my own $HOME"), 3)
    assert shlex.split(shell_command(*words)) == [str(word) for word in words]
    assert shell_command("lsk", "show", "runs/a") == "lsk show runs/a"


def test_no_message_has_a_command_with_a_path_as_it_is():
    folders = ("cli", "engine", "ls_base", "ls_keras", "plugins")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert [file for file in files if UNQUOTED.search(file.read_text())] == []
