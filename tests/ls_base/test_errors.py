import errno
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import ls_base
from ls_base import errors
from ls_base.errors import (
    FileError,
    InputError,
    LsKerasError,
    MissingExtraError,
    reason,
    shell_command,
    short_repr,
    suggest,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(InputError, ValueError), (FileError, OSError), (MissingExtraError, ImportError)],
)
def test_each_error_is_also_a_builtin_exception(error, kind):
    assert issubclass(error, LsKerasError)
    assert issubclass(error, kind)


def test_the_library_exports_all_errors():
    of_library = importlib.import_module("ls_keras.errors")
    assert of_library.InputError is errors.InputError
    assert set(of_library.__all__) == {
        name for name, value in vars(errors).items() if isinstance(value, type)
        and issubclass(value, LsKerasError)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("received", "end"),
    [
        ("training.alpa", "Near matches: training.alpha. Received: 'training.alpa'"),
        ("alpha", "Near matches: training.alpha. Received: 'alpha'"),
        ("zzz", "Known: training.alpha, model.width. Received: 'zzz'"),
    ],
)
def test_unknown_names_get_near_matches_or_all_names(received, end):
    assert suggest(received, ["training.alpha", "model.width"]) == end


def test_many_unknown_names_are_cut():
    end = suggest("zzz", [f"name{n}" for n in range(100)])
    assert end.startswith("Known: name0, name1, ")
    assert end.endswith("name19, … (100 in all). Received: 'zzz'")


@pytest.mark.parametrize("kind", [LsKerasError, InputError, FileError, MissingExtraError])
def test_a_message_is_one_line_of_bounded_length(kind):
    assert str(kind("Expected a. Received: b\nc\x1b[1m\u2028")) == "Expected a. Received: b?c?[1m?"
    long = str(kind(f"Expected a. Received: {'b' * 5000}/c"))
    assert len(long) < 1000
    assert long.startswith("Expected a. Received: b")
    assert long.endswith("b/c")


def test_errors_and_files_need_no_other_package():
    code = "import sys; before = set(sys.modules); import ls_base.errors, ls_base.files;"
    code += "print(*{m.partition('.')[0] for m in set(sys.modules) - before})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert "ls_base" in found
    assert {name for name in found if name not in sys.stdlib_module_names} == {"ls_base"}


def test_the_version_is_a_version():
    assert ls_base.__version__.count(".") == 2


def test_other_libraries_messages_become_one_short_line():
    error = ValueError("\n  first\x00 line " + "x" * 1000 + "\nsecond\n")
    assert reason(error).startswith("first? line xxx")
    assert len(reason(error)) == 201
    assert reason(OSError(errno.ELOOP, "Too many levels", "a")).endswith("(a loop of links)")
    assert reason(MemoryError()) == "MemoryError"


def test_values_are_shown_on_one_short_line():
    assert short_repr("a\nb") == r"'a\nb'"
    assert len(short_repr("a" * 10**6)) < 120


def test_a_shell_splits_a_command_into_the_words_that_were_given():
    words = ("lsk", "show", Path("it's/my own $HOME"), 3)
    assert shlex.split(shell_command(*words)) == [str(word) for word in words]
    assert shell_command("lsk", "show", "runs/a") == "lsk show runs/a"


def test_messages_quote_the_paths_in_commands():
    unquoted = re.compile(r"lsk [a-z][a-z -]*\{")
    folders = ("cli", "engine", "ls_base", "ls_keras", "plugins")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert [file for file in files if unquoted.search(file.read_text())] == []
