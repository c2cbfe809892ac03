"""Code that settings name: what is read as such, whose runs, and what is said of one that fails."""

import dataclasses
import sys

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.settings.user_code import NamedCode, code_field, is_code, trust_code

CONTENT = """
import dataclasses
from beside import VALUE

@dataclasses.dataclass
class Value:
    value: int

def build():
    return Value(VALUE)

def fail():
    values = {}
    return values["missing"]

def leave():
    raise SystemExit("no data here")
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "beside.py").write_text("VALUE = 3")
    (tmp_path / "own.py").write_text(CONTENT)
    yield tmp_path / "own.py"
    sys.modules.pop("beside", None)


def named(file, function="build"):
    text = f"{file}:{function}"
    trust_code(text)
    found = NamedCode.read(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "module", "function"),
    [
        ("own.py:build", "own.py", "build"),
        ("C:\\models\\own.py:build", "C:\\models\\own.py", "build"),
        ("package.module:build", "package.module", "build"),
        ("module:build", "module", "build"),
    ],
)
def test_a_function_of_a_file_or_a_module_is_read(text, module, function):
    assert NamedCode.read(text) == NamedCode(module, function)
    assert str(NamedCode.read(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "own.py", "own.py:", "own.py:not a name", "tfds:mnist", "python:build", "a b:c", "x.npz"],
)
def test_other_settings_name_no_code(text):
    assert NamedCode.read(text) is None
    trust_code(text)  # does nothing


def test_a_field_says_that_it_may_name_code():
    @dataclasses.dataclass
    class Config:
        name: str = code_field("own.py:build")
        width: int = 3

    assert [is_code(field) for field in dataclasses.fields(Config)] == [True, False]
    assert Config().name == "own.py:build"


def test_a_file_is_imported_as_a_script_would_be(file):
    assert named(file).call("a value").value == 3
    assert named(file).load() is named(file).load()


def test_the_path_of_a_file_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert NamedCode("own.py", "build").absolute().module == str(tmp_path / "own.py")
    assert NamedCode("a.b", "build").absolute() == NamedCode("a.b", "build")


def test_what_nobody_has_named_does_not_run(file):
    file.write_text(f"{CONTENT}\nimport pathlib\npathlib.Path(__file__).with_name('ran').touch()")
    strangers = NamedCode(str(file), "build")
    with pytest.raises(InputError, match="you have named yourself.*may come from somebody"):
        strangers.load()
    assert not (file.parent / "ran").exists()
    assert named(file).load() is not None
    assert (file.parent / "ran").exists()
    with pytest.raises(InputError, match=r"named yourself.*own\.py:fail"):  # another function of it
        NamedCode(str(file), "fail").load()


def test_a_copy_elsewhere_is_not_what_was_named(file, tmp_path_factory):
    named(file)
    copy = tmp_path_factory.mktemp("elsewhere") / "own.py"
    copy.write_text(CONTENT)
    with pytest.raises(InputError, match="named yourself"):
        NamedCode(str(copy), "build").load()


def test_another_content_is_imported_anew_and_nothing_that_python_kept_of_it(file):
    first = named(file).load()
    file.write_text(CONTENT.replace("Value(VALUE)", "Value(-VALUE)"))
    assert named(file).call("a value").value == -3
    assert named(file).load() is not first
    assert not list(file.parent.glob("__pycache__/own*"))


def test_an_error_of_anothers_code_is_seen_in_ones_own(tmp_path):
    (tmp_path / "own.py").write_text("import json\n\ndef build():\n    return json.loads('{')\n")
    with pytest.raises(InputError, match=r"JSONDecodeError: .* \(line 4 of .*own\.py\)$"):
        named(tmp_path / "own.py").call("a value")


def test_a_module_is_found_without_being_imported(file, monkeypatch):
    package = file.parent / "wood"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "oak.py").write_text("def build(): return 1")
    monkeypatch.syspath_prepend(str(file.parent))
    found = NamedCode("wood.oak", "build")
    assert found.content() == b"def build(): return 1"
    trust_code(str(found))
    with pytest.raises(InputError, match=r"wood.oak to be importable.*RuntimeError: imported"):
        found.load()


@pytest.mark.parametrize("text", ["missing.py:build", "missing.module:build", "wood.missing:build"])
def test_what_is_not_there_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=rf"Expected .*{text} to name .* Received: no such (file|mod)"
    ):
        trust_code(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("import no_such_module", r"to be importable.*no_such_module.*line 1 of .*broken\.py"),
        ("\ndef build(:", r"to be importable.*SyntaxError.*line 2 of .*broken\.py"),
        ("build = 3", "a function 'build' in .* Received: no function"),
        ("def make(): ...\nimport os.path", "a function 'build' in .* Received: make$"),
        ("raise SystemExit(1)", "to be importable.*SystemExit: 1"),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_line(tmp_path, content, message):
    (tmp_path / "broken.py").write_text(content)
    with pytest.raises(InputError, match=message) as error:
        named(tmp_path / "broken.py").load()
    assert "\n" not in str(error.value)


def test_what_a_function_raises_is_told_with_its_line(file):
    with pytest.raises(InputError, match=r"own.py:fail to return a value. .*KeyError.*line 14 of"):
        named(file, "fail").call("a value")
    with pytest.raises(InputError, match="SystemExit: no data here"):
        named(file, "leave").call("a value")


def test_a_note_that_cannot_be_written_says_where_it_may_go(file, monkeypatch):
    (file.parent / "taken").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(file.parent / "taken"))
    with pytest.raises(FileError, match="XDG_STATE_HOME"):
        trust_code(f"{file}:build")
