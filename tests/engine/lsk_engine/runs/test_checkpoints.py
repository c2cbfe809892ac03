import io
import threading
import zipfile

import keras
import numpy as np
import pytest

from ls_base.errors import FileError
from lsk_engine.runs.checkpoints import Checkpoints

pytestmark = pytest.mark.tensorflow


def build_model(width=3, dtype="float32"):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(width, dtype=dtype, name="logits")(inputs))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    return model


@pytest.fixture
def saved(tmp_path):
    """Checkpoints of steps 2 and 4, whose weights are 2 and 4."""
    model, checkpoints = build_model(), Checkpoints(tmp_path)
    model.optimizer.build(model.trainable_variables)
    for step in (2, 4):
        model.set_weights([np.full(w.shape, step, w.dtype) for w in model.get_weights()])
        checkpoints.save(model, step)
    return checkpoints


def file_of(checkpoints, step):
    return checkpoints.directory / f"step-{step:08d}.npz"


def rewrite(file, **changed):
    """Changes arrays of a checkpoint; the ZIP file's own sums fit."""
    with np.load(file) as stored:
        arrays = {name: stored[name] for name in stored.files}
    buffer = io.BytesIO()
    np.savez(buffer, **{**arrays, **changed})
    file.write_bytes(buffer.getvalue())


def cut_off(file):
    file.write_bytes(file.read_bytes()[:400])


def flip_a_bit(file):
    with np.load(file) as stored:
        weights = stored["model/0"].copy()
    weights.view(np.uint8)[0, 0] ^= 1
    rewrite(file, **{"model/0": weights})


def say_another_step(file):
    rewrite(file, step=np.int64(5))


DAMAGES = [
    cut_off,
    flip_a_bit,
    say_another_step,
    lambda file: file.write_bytes(b""),
    lambda file: file.write_bytes(b"\x93NUMPY\x01\x00"),
    lambda file: zipfile.ZipFile(file, "w").close(),
]
IDS = ["cut off", "flipped bit", "another step", "empty", "array", "empty archive"]


@pytest.mark.parametrize("damage", DAMAGES, ids=IDS)
def test_the_newest_checkpoint_that_is_not_damaged_is_restored(saved, damage):
    damage(file_of(saved, 4))
    model, messages = build_model(), []
    restored = saved.restore(model, warn=messages.append)
    assert int(restored["step"]) == 2
    assert all((w == 2).all() for w in model.get_weights())
    (message,) = messages
    assert message.startswith("Expected ")
    assert "step-00000004.npz" in message
    assert message.endswith("; going back to the checkpoint before")
    assert "\n" not in message


@pytest.mark.parametrize("kept", [1, 2])
def test_damaged_checkpoints_do_not_count_among_those_kept(saved, kept):
    cut_off(file_of(saved, 4))
    model, checkpoints = build_model(), Checkpoints(saved.directory, max_to_keep=kept)
    checkpoints.restore(model)
    checkpoints.save(model, 3)
    assert checkpoints.steps() == [2, 3, 4][-kept - 1 :]
    assert int(checkpoints.restore(model)["step"]) == 3
    checkpoints.save(model, 5)  # passed, it is as old as any
    assert checkpoints.steps() == [3, 4, 5][-kept:]


def test_if_all_are_damaged_the_message_says_what_to_do(saved):
    for step in (2, 4):
        cut_off(file_of(saved, step))
    with pytest.raises(FileError, match="all checkpoints in .* are damaged: remove them"):
        saved.restore(build_model())


def test_a_built_optimizer_gets_no_further_variables(tmp_path):
    """Keras's loss scaling adds its own each time that it is built."""
    states = []
    for value in (1.5, 0.0):
        model = build_model()
        model.compile(keras.optimizers.LossScaleOptimizer(model.optimizer), "mse")
        model.optimizer.build(model.trainable_variables)
        if states:
            Checkpoints(tmp_path).restore(model)
        else:
            for variable in model.optimizer.variables:
                variable.assign(np.full(variable.shape, value))
            Checkpoints(tmp_path).save(model, 1)
        states.append([keras.ops.convert_to_numpy(v) for v in model.optimizer.variables])
    for one, other in zip(*states, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("damage", DAMAGES, ids=IDS)
def test_a_chosen_checkpoint_is_not_replaced_by_another(saved, damage):
    damage(file_of(saved, 4))
    with pytest.raises(FileError, match="Expected .*step-00000004.npz"):
        saved.restore(build_model(), 4)
    with pytest.raises(FileError, match="Expected .*step-00000004.npz"):
        saved.read_model(build_model(), 4)


@pytest.mark.parametrize("name", ["step-best.npz", "step-4.npz", "step-00000009.npz.bak", "notes"])
def test_other_files_are_ignored(saved, name):
    (saved.directory / name).touch()
    assert saved.steps() == [2, 4]
    saved.save(build_model(), 6)
    assert saved.steps() == [4, 6]
    assert (saved.directory / name).exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"width": 4}, r"model/0 \(.*\), float32 of shape \(2, 4\). Received: float32 of .*2, 3"),
        ({"dtype": "float16"}, r"model/0 .*, float16 of shape \(2, 3\). Received: float32 of"),
    ],
)
def test_another_model_is_refused(saved, model, message):
    with pytest.raises(FileError, match=message):
        saved.restore(build_model(**model))


def test_a_folder_without_checkpoints_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileError, match="Expected a checkpoint in .*Received: none"):
            Checkpoints(folder).restore(build_model())


@pytest.fixture
def slowly(tmp_path, monkeypatch):
    """Checkpoints that are written by a thread, which waits until it may."""
    monkeypatch.setattr("lsk_engine.runs.checkpoints.BACKGROUND", 0)
    may, write = threading.Event(), Checkpoints._write

    def waiting(self, *arguments):
        assert may.wait(60)
        write(self, *arguments)

    monkeypatch.setattr(Checkpoints, "_write", waiting)
    model = build_model()
    model.optimizer.build(model.trainable_variables)
    yield model, Checkpoints(tmp_path, max_to_keep=1), may
    may.set()


def test_a_large_state_is_written_as_it_was_while_training_goes_on(slowly):
    model, checkpoints, may = slowly
    before = model.get_weights()
    checkpoints.save(model, 2)
    assert not any(checkpoints.directory.iterdir())
    model.fit(np.ones((4, 2)), np.ones((4, 3)), verbose=0)
    assert (model.get_weights()[0] != before[0]).any()
    may.set()
    assert checkpoints.steps() == [2]  # waits
    for found, expected in zip(checkpoints.read_model(model, 2), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_one_state_is_written_at_a_time(slowly):
    model, checkpoints, may = slowly
    checkpoints.save(model, 2)
    second = threading.Thread(target=checkpoints.save, args=(model, 4))
    second.start()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("checkpoint") == 1
    may.set()
    second.join()
    assert checkpoints.steps() == [4]


def test_kept_steps_are_those_of_the_time_of_saving(slowly):
    model, checkpoints, may = slowly
    checkpoints.kept_steps = {2}
    checkpoints.save(model, 2)
    may.set()
    checkpoints.wait()
    may.clear()
    checkpoints.save(model, 4)
    checkpoints.kept_steps.clear()  # as where a later step is the best
    may.set()
    assert checkpoints.steps() == [2, 4]


def test_a_failed_write_is_raised_by_the_next_save(slowly):
    model, checkpoints, may = slowly
    checkpoints.directory = checkpoints.directory / "file" / "folder"
    checkpoints.directory.parent.write_text("")
    may.set()
    checkpoints.save(model, 2)
    with pytest.raises(FileError, match="Expected to be able to write .*file/folder"):
        checkpoints.save(model, 4)
    checkpoints.wait()  # raised once
