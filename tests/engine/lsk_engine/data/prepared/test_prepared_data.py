import json

import pytest

from ls_base.errors import FileError, InputError
from ls_base.files import write_json
from lsk_engine.data.prepared import prepared_data
from lsk_engine.data.prepared.checksummed_files import CheckedFiles
from lsk_engine.data.prepared.split_files import read_splits
from lsk_engine.settings.resolving import resolve_config, restore_config
from preparable_task import DataConfig, PreparableTask
from tiny_task import Letters, TinyTask

pytestmark = pytest.mark.tensorflow


def resolve(**data):
    return resolve_config(PreparableTask(), None, {f"data.{k}": v for k, v in data.items()})


@pytest.fixture
def directory(tmp_path):
    prepared_data.prepare(PreparableTask(), resolve(length=5, letters="x,y"), tmp_path / "data")
    return tmp_path / "data"


def test_what_was_written_is_read(directory):
    data = PreparableTask().load_data(resolve(source=str(directory)))
    assert isinstance(data.splits["train"], Letters)
    assert data.notes == ("letters: made",)
    assert [path.name for path in directory.parent.iterdir()] == ["data"]


def test_the_manifest_can_be_checked_by_other_tools(directory):
    manifest = json.loads((directory / "prepared.json").read_text())
    assert sorted(manifest["files"]) == ["letters.npy", "more/text.txt"]
    assert manifest["files"]["more/text.txt"] == {
        "bytes": 3,
        # printf 'ä\n' | sha256sum
        "sha256": "ac6f010e65c9ea739dbdaa21427edd5ef60c6d461ef4d619c003e3ab62453a56",
    }
    assert manifest["settings"] == {"letters": ["x", "y"], "length": 5}


def test_settings_come_from_the_data(directory):
    resolved = resolve(source=str(directory), letters="x,y")
    assert resolved.data == DataConfig(str(directory), ("x", "y"), 5)
    again = restore_config(PreparableTask(), json.loads(json.dumps(resolved.to_dict())))
    assert again == resolved


def test_settings_that_differ_are_refused_in_one_message(directory):
    message = r"data.letters=\('x', 'y'\), data.length=5\).*Received: data.letters=.*data.length=6"
    with pytest.raises(InputError, match=message):
        resolve(source=str(directory), letters="z", length=6)


def spoil(file, change):
    content = bytearray(file.read_bytes())
    change(content)
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: spoil(file, lambda c: c.pop()), r"letters.npy .*\(bytes \d+\).*Received: \d"),
        (lambda file: spoil(file, lambda c: c.__setitem__(-1, 99)), "letters.npy .*sha256"),
        (lambda file: file.unlink(), "letters.npy .*Received: no file"),
    ],
)
def test_spoiled_files_are_refused(directory, change, message):
    change(directory / "letters.npy")
    with pytest.raises(InputError, match=message):
        PreparableTask().load_data(resolve(source=str(directory)))


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "Expected a JSON file"),
        ("[]", "Expected schema 1 in .*prepared.json. Received: none"),
        ({"schema": 2}, "Expected schema 1 in .*prepared.json. Received: 2"),
        ({"task": "other"}, "Expected .*prepared.json as it was written"),
    ],
)
def test_spoiled_manifests_are_refused(directory, manifest, message):
    file = directory / "prepared.json"
    if isinstance(manifest, dict):
        manifest = json.dumps(json.loads(file.read_text()) | manifest)
    file.write_text(manifest)
    with pytest.raises((InputError, FileError), match=message):
        resolve(source=str(directory))


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "link/x"])
def test_names_in_the_manifest_stay_inside(directory, name):
    """Of an older manifest, which has no checksum of its own."""
    (directory / "link").symlink_to(directory.parent)
    manifest = json.loads((directory / "prepared.json").read_text())
    del manifest["sha256"]
    manifest["files"][name] = {"bytes": 0, "sha256": ""}
    (directory / "prepared.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="the name of a file inside .*data. Received: "):
        PreparableTask().load_data(resolve(source=str(directory)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train", "validation", "../test"], "splits train, validation and test"),
        (["train", "validation", "test", "../more"], "the name of a file inside .*'../more'"),
        (["train", "train", "validation", "test"], "each once. Received: train, train"),
        ([1], r"Expected \[0\] in .*splits.json to be str"),
        ({}, "splits.json to be array"),
    ],
)
def test_names_of_splits_stay_inside(tmp_path, names, message):
    write_json(tmp_path / "splits.json", names)
    data = prepared_data.PreparedData(tmp_path, (), CheckedFiles(tmp_path, {"splits.json": None}))
    with pytest.raises(InputError, match=message):
        read_splits(data, lambda folder: Letters(3, 0))


def test_a_file_that_the_manifest_does_not_list_is_not_read(tmp_path):
    write_json(tmp_path / "splits.json", ["train", "validation", "test"])
    data = prepared_data.PreparedData(tmp_path, (), CheckedFiles(tmp_path, {}))
    with pytest.raises(InputError, match="Expected splits.json in the list of files of "):
        read_splits(data, lambda folder: Letters(3, 0))


def test_a_manifest_that_was_changed_is_refused(directory):
    text = (directory / "prepared.json").read_text()
    (directory / "prepared.json").write_text(text.replace('"length": 5', '"length": 6'))
    with pytest.raises(InputError, match="Expected .*prepared.json as it was written"):
        PreparableTask().load_data(resolve(source=str(directory)))


def test_nothing_is_overwritten(directory):
    before = (directory / "prepared.json").read_bytes()
    with pytest.raises(InputError, match="Expected a new or empty directory .*Received: .*data"):
        prepared_data.prepare(PreparableTask(), resolve(), directory)
    assert (directory / "prepared.json").read_bytes() == before


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(self, config, data, directory):
        (directory / "half").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(PreparableTask, "prepare", fail)
    with pytest.raises(KeyboardInterrupt):
        prepared_data.prepare(PreparableTask(), resolve(), tmp_path / "new" / "data")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_directory_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Expected to be able to write .*file/data"):
        prepared_data.prepare(PreparableTask(), resolve(), tmp_path / "file" / "data")


def test_a_task_that_does_not_offer_it_says_so(tmp_path):
    with pytest.raises(InputError, match="can be prepared: .*translation. Received: tiny"):
        prepared_data.prepare(TinyTask(), resolve_config(TinyTask(), None, {}), tmp_path / "data")
    assert list(tmp_path.iterdir()) == []
