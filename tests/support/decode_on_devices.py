"""Decodes and scores small models on one device and on two, and compares: `decode_on_devices.py`.

On JAX the devices are those that XLA_FLAGS makes. The tests import what is checked; as a program
it checks all, for backends that a test's process doesn't have.
"""

import tempfile
from pathlib import Path

import keras
import numpy as np

import small_speech
import small_translation
from lsk_engine.devices.distributed_predict import copy_to_devices, make_predictor, model_on_devices
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.registry import load_task

SMALL = {"translation": small_translation, "speech": small_speech}
OF_BACKEND = {"tensorflow": "mirrored", "jax": "data-parallel"}


def trained(name: str, folder: Path, **changes):
    """Returns a task, its data, a model of large random weights, and its settings on two devices.

    Large, so that its logits differ and beams cross.
    """
    task = load_task(name)
    settings = SMALL[name].settings(folder) | {
        "training.strategy": OF_BACKEND[keras.config.backend()],
        "training.devices": 2,
    }
    config = resolve_config(task, None, settings | changes)
    data = task.load_data(config)
    model = task.build_model(config, data)
    rng = np.random.default_rng(0)
    # Nothing of the initial ones, which differ by process and backend: what T changes does, too.
    noise = [rng.normal(0, 0.5, w.shape).astype(w.dtype) for w in model.weights]
    ones = [w.ndim == 1 and bool(np.all(np.array(w) == 1)) for w in model.weights]
    model.set_weights([n + one for n, one in zip(noise, ones, strict=True)])
    model.compile(jit_compile=False)
    return task, data, model, config


def on_one(config):
    return config.replace("training", strategy="one-device", devices=None)


def check_decoding(name: str, folder: Path, **changes) -> None:
    """Holds what two devices decode against what one does: equal to the last bit."""
    task, data, model, config = trained(name, folder, **changes)
    examples = data.splits["validation"]
    assert len(examples) > config.decoding.batch_size
    said: list[tuple[int, int]] = []

    def decoded(of):
        return task.decode(model, examples, of, data, lambda *at: said.append(at))

    found, wanted = decoded(config), decoded(on_one(config))
    assert found == wanted
    assert len({str(one) for one in wanted}) > 1
    assert said[-1] == (len(examples), len(examples))
    assert copy_to_devices(model, config).devices == 2
    hotter = [one.replace("decoding", temperature=3.0) for one in (config, on_one(config))]
    assert decoded(hotter[0]) == decoded(hotter[1]) != wanted
    # Its weights of now, not those that the copies were made with.
    model.set_weights([-w for w in model.get_weights()])
    assert decoded(config) == decoded(on_one(config)) != wanted


def check_predicting(folder: Path) -> None:
    """Holds what a function of inputs gives on two devices against the model's own."""
    _, data, model, config = trained("translation", folder)
    inputs, _ = data.splits["validation"].gather(np.arange(5), 24)
    wanted = model.predict_on_batch(inputs)
    assert make_predictor(model, on_one(config)) == model.predict_on_batch
    assert model_on_devices(model, on_one(config)) is model
    tensors = {name: keras.ops.convert_to_tensor(array) for name, array in inputs.items()}
    for found in (make_predictor(model, config)(inputs), model_on_devices(model, config)(tensors)):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        check_predicting(Path(name))
        for task in SMALL:
            check_decoding(task, Path(name) / task)
