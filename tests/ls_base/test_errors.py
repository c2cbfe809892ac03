import errno
import importlib
import subprocess
import sys

import pytest

import ls_base
from ls_base import errors
from ls_base.errors import FileError, InputError, LsKerasError, MissingExtraError, reason, suggest


@pytest.mark.parametrize(
    ("error", "kind"),
    [(InputError, ValueError), (FileError, OSError), (MissingExtraError, ImportError)],
)
def test_each_is_ours_and_what_python_calls_it(error, kind):
    assert issubclass(error, LsKerasError)
    assert issubclass(error, kind)


def test_the_library_hands_them_on():
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
def test_near_matches_are_named_else_all(received, end):
    assert suggest(received, ["training.alpha", "model.width"]) == end


def test_the_ground_needs_no_other_package():
    code = "import sys; before = set(sys.modules); import ls_base.errors, ls_base.files;"
    code += "print(*{m.partition('.')[0] for m in set(sys.modules) - before})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert "ls_base" in found
    assert {name for name in found if name not in sys.stdlib_module_names} == {"ls_base"}


def test_the_version_is_a_version():
    assert ls_base.__version__.count(".") == 2


def test_what_others_say_becomes_one_short_line():
    error = ValueError("\n  first\x00 line " + "x" * 1000 + "\nsecond\n")
    assert reason(error).startswith("first? line xxx")
    assert len(reason(error)) == 201
    assert reason(OSError(errno.ELOOP, "Too many levels", "a")).endswith("(a circle of links)")
    assert reason(MemoryError()) == "MemoryError"
