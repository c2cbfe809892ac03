import json
import zipfile

import keras
import numpy as np
import pytest

from ls_base.errors import FileError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.saved_model import load_model


def model():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(2, name="logits")(inputs))


def members(file):
    with zipfile.ZipFile(file) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def rewritten(file, changed):
    content = {**members(file), **changed}
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in content.items():
            if value is not None:
                archive.writestr(name, value)


@pytest.fixture
def file(tmp_path):
    model().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_a_model_is_loaded_as_it_was_saved(tmp_path):
    saved = model()
    saved.save(tmp_path / "model.keras")
    found = load_model(tmp_path / "model.keras")
    for before, now in zip(saved.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_array_equal(before, now)


def test_code_inside_is_not_run(tmp_path):
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs)).save(tmp_path / "m.keras")
    with pytest.raises(
        FileError, match=r"a model that Keras saved in .*m.keras.*Received: \w"
    ) as told:
        load_model(tmp_path / "m.keras")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model.weights.h5": None}, "a model that Keras saved"),
        ({"model.weights.h5": b""}, "a model that Keras saved"),
        ({"model.weights.h5": bytes(1 << 20)}, "a model that Keras saved"),
        ({"config.json": b"{"}, "a model that Keras saved"),
        ({"config.json": b"null"}, "a model that Keras saved|Expected a model in"),
        ({"config.json": json.dumps({"class_name": "x"}).encode()}, "a model that Keras saved"),
    ],
    ids=["no weights", "empty weights", "zeros", "no JSON", "null", "no class"],
)
def test_a_file_that_holds_no_model_is_refused(file, changed, message):
    rewritten(file, changed)
    with pytest.raises(FileError, match=message) as told:
        load_model(file)
    assert "\n" not in str(told.value)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    saved = model()
    saved.set_weights([np.full(w.shape, np.nan) for w in saved.get_weights()])
    saved.save(tmp_path / "model.keras")
    with pytest.raises(FileError, match="finite weights in .*model.keras"):
        load_model(tmp_path / "model.keras")


def test_a_damaged_archive_is_refused(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(FileError, match=r"model.keras|whole model.weights.h5"):
        load_model(file)


def test_a_bit_that_fell_over_in_the_weights_is_refused_by_the_runs_checksums(tmp_path):
    """Of which neither ZIP nor HDF5 knows."""
    run = RunDirectory.create(tmp_path / "run", {})
    run.save_model(model())
    weights = bytearray(members(run.model_file)["model.weights.h5"])
    kernel = run.load_model().get_weights()[0].tobytes()
    at = bytes(weights).index(kernel)
    weights[at + 2] ^= 1
    rewritten(run.model_file, {"model.weights.h5": bytes(weights)})
    load_model(run.model_file)  # reads well, with another weight
    with pytest.raises(FileError, match="model.keras as the run wrote it"):
        run.load_model()
