import os

import pytest
from click.testing import CliRunner

import small_translation
from ls_base.errors import InputError
from lsk_translation import commands
from lsk_translation.commands import translate
from lsk_translation.task import TranslationTask
from untrained_run import untrained_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = small_translation.settings(folder)
    return untrained_run(TranslationTask(), folder / "run", **settings).directory.path


def invoke(run, *arguments, text=None):
    arguments = [str(run), *(str(a) for a in arguments), "--quiet", "--beam", "1"]
    found = CliRunner().invoke(translate, arguments, input=text)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_a_line_in_is_a_line_out(run):
    assert invoke(run, text="ab cd\n\nabc\n").stdout.count("\n") == 3


def test_a_whole_text_on_one_line_is_told(run):
    """The memory of attention grows with the square: 10,000 words needed 9 GiB."""
    text = "ab\n" + "abcd " * 10_000 + "\n"
    message = r"lines of at most 2,048 pieces.* Received: [\d,]+ pieces, 'abcd abcd"
    with pytest.raises(InputError, match=message):
        invoke(run, text=text)


def test_a_line_without_end_is_told_before_anything_is_loaded(run):
    with pytest.raises(InputError, match="at most 65,536 bytes.* 100,000 bytes in line 2 of stdin"):
        invoke(run, text="ab\n" + "a" * 100_000)


def test_text_without_end_is_told(run, monkeypatch):
    monkeypatch.setattr(commands, "_MOST_BYTES", 1000)
    with pytest.raises(InputError, match="at most 1,000 bytes of text at once. Received: more"):
        invoke(run, text="ab\n" * 500)


def test_a_named_pipe_in_place_of_a_file_is_told(run, tmp_path):
    os.mkfifo(tmp_path / "x")
    with pytest.raises(InputError, match="Expected a regular file .*/x. Received: a named pipe"):
        invoke(run, tmp_path / "x")
