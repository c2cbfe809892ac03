import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import small_translation
from ls_base.errors import InputError
from lsk_engine.data.prepared.checksummed_files import CheckedFiles
from lsk_engine.data.prepared.prepared_data import PreparedData, prepare
from lsk_engine.settings.resolving import resolve_config
from lsk_translation.prepared import Lines, load_prepared
from lsk_translation.task import TranslationTask

LENGTHS = {"data.max_length": 6}  # leaves out some of the training pairs
MODEL = {k: v for k, v in small_translation.SETTINGS.items() if not k.startswith("data.")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="module")
def written(folder):
    """The settings that data were prepared with, the data, and where they are."""
    made_with = {**small_translation.settings(folder), **LENGTHS}
    task, directory = TranslationTask(), folder / "data"
    return made_with, prepare(task, resolve_config(task, None, made_with), directory), directory


def read_all(found):
    return list(load_prepared(found, None).splits.values())


def resolved(directory, **given):
    return resolve_config(
        TranslationTask(), None, {**MODEL, "data.source": str(directory), **given}
    )


def test_prepared_data_are_the_data(written):
    made_with, data, directory = written
    config = resolved(directory)
    read = TranslationTask().load_data(config, data.artifacts)
    assert config.data.max_length == 6
    assert config.data.vocabulary_size == made_with["data.vocabulary_size"]
    assert list(read.splits) == list(data.splits)
    for name in ("artifacts", "notes", "num_classes", "ignore_class", "unused_classes"):
        assert getattr(read, name) == getattr(data, name), name
    assert read.class_names == data.class_names
    np.testing.assert_array_equal(read.class_counts, data.class_counts)
    for name, examples in data.splits.items():
        again = read.splits[name]
        rows = np.random.default_rng(0).permutation(len(examples))
        for first, second in zip(examples.gather(rows, 50), again.gather(rows, 50), strict=True):
            np.testing.assert_equal(first, second)
        np.testing.assert_array_equal(examples.sizes, again.sizes)
        assert list(again.references) == list(examples.references)


def test_all_right_translations_are_prepared_too(tmp_path):
    task = TranslationTask()
    made_with = {
        **small_translation.SETTINGS,
        "data.source": "cldr",
        "data.phrase_fraction": 0.5,
        "data.max_train_examples": 60,
        "data.vocabulary_size": 500,
    }
    data = prepare(task, resolve_config(task, None, made_with), tmp_path / "data")
    read = task.load_data(resolved(tmp_path / "data"), data.artifacts).splits["phrases"]
    assert list(read.references) == list(data.splits["phrases"].references)
    assert len(read.references[0]) > 1
    file = tmp_path / "data" / "phrases" / "right.json"
    files = CheckedFiles.of_folder(tmp_path / "data")
    for damaged, message in (
        (b"[[1]]", "to be str. Received: 1$"),
        (b'[["a"]]', "200 lists of translations .* Received: 1, of 1 at least$"),
        (b"[", "Expected a JSON file"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=message):
            read_all(PreparedData(tmp_path / "data", (), files))


def test_ids_stay_on_the_disk(written):
    _, data, directory = written
    train = TranslationTask().load_data(resolved(directory)).splits["train"]
    assert isinstance(train.source.values, np.memmap)
    assert train.source.values.dtype == np.uint16
    assert len(train.target.values) == data.splits["train"].target.lengths.sum()  # none left over


def test_settings_given_again_must_be_the_same(written):
    _, _, directory = written
    resolved(directory, **{"data.vocabulary_size": 290})
    with pytest.raises(InputError, match=r"with \(data.vocabulary_size=290\).*=4000"):
        resolved(directory, **{"data.vocabulary_size": 4000})


def test_another_vocabulary_is_refused(written):
    _, _, directory = written
    with pytest.raises(InputError, match="that the run was trained on. Received: .*another voc"):
        TranslationTask().load_data(resolved(directory), {"subwords.model": b"other"})


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1))
def test_lines_are_read_as_they_are(folder, lines):
    file = folder / "lines.txt"
    encoded = [f"{line}\n".encode() for line in lines]
    file.write_bytes(b"".join(encoded))
    read = Lines(file, np.cumsum([0, *map(len, encoded)]))
    assert list(read) == lines
    assert read[-1] == lines[-1]
    assert read[1:] == lines[1:]
    with pytest.raises(IndexError):
        read[len(lines)]


TRAIN = """
import os, signal, sys
for name in ("tensorflow", "tensorflow_text", "tensorflow_datasets"):
    sys.modules[name] = None  # as where it is not installed
from lsk.main import cli
from lsk_engine.data.batches import BatchSource

batch, signaled = BatchSource.batch, []

def stopping(self, step):
    if step == 2 and not signaled:
        signaled.append(os.kill(os.getpid(), signal.SIGINT))
    return batch(self, step)

BatchSource.batch = stopping
arguments = sys.argv[1:]
print(cli.main(["train", *arguments, "--run-dir", "run"], standalone_mode=False))
print(cli.main(["train", "--resume", "run", "--json"], standalone_mode=False))
"""


@pytest.mark.slow
def test_training_and_scoring_need_no_tensorflow(written, tmp_path):
    """Train, stop, resume, decode and score on JAX, from prepared data."""
    _, _, directory = written
    small = {"model.layers": 1, "training.max_length_buckets": 1, "training.steps": 4}
    small |= {"decoding.beam_size": 1, "decoding.batch_size": 9}
    small |= {"training.jit_compile": None}  # on JAX, op by op takes longer than compiling
    arguments = [f"--set={key}={value}" for key, value in (MODEL | small).items()]
    support = Path(__file__).parents[2] / "support"
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, "--task=translation", f"--data={directory}", *arguments],
        cwd=tmp_path,
        # Programs this small need no optimizing: half the time.
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": str(support),
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "resume with: lsk train --resume run" in done.stderr
    first, _, rest = done.stdout.partition("\n")
    assert first == "130"
    scores = json.loads(rest.partition("\n")[0])
    assert {"bleu", "nll", "ece"} <= set(scores["test"])
    assert len(json.loads((tmp_path / "run" / "outputs" / "test.json").read_text())) == 9


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("train/source_ids.npy", lambda a: np.full_like(a, 9999), "source_ids.npy. Received: 9999"),
        (
            "train/source_ids.npy",
            lambda a: a.astype(np.float32),
            "source_ids.npy to be .*Received: float32",
        ),
        ("train/source_ids.npy", lambda a: a[:-1], "rise from 0 to"),
        ("class_counts.npy", lambda a: a[1:], "class_counts.npy to be "),
        ("test/reference_offsets.npy", lambda a: a[:-1], "rise from 0 to .*references.txt"),
        ("test/target_offsets.npy", lambda a: a[[0, -1]], "as many sources, targets and ref"),
    ],
)
def test_arrays_that_do_not_fit_are_told(tmp_path, file, change, message):
    """Whatever their checksums: the manifest may be somebody's who meant it."""
    task = TranslationTask()
    settings = small_translation.settings(tmp_path)
    prepare(task, resolve_config(task, None, settings), tmp_path / "data")
    files = CheckedFiles.of_folder(tmp_path / "data")
    np.save(tmp_path / "data" / file, change(np.load(tmp_path / "data" / file)))
    with pytest.raises(InputError, match=message):
        read_all(PreparedData(tmp_path / "data", (), files))
