"""Samples for mutual information: differences of two logits under random augmentation."""

import inspect
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError
from ls_keras.inputs.validation import as_count


def augmented_differences(
    predict: Callable,
    images: np.ndarray,
    classes: Sequence[int],
    augment: Callable,
    *,
    draws: int = 5,
    batch_size: int = 256,
    seed: int = 0,
) -> np.ndarray:
    """Returns the difference of the logits of two classes for augmented images.

    All batches have the same shape, so one program is compiled; the last is padded.

    Args:
        predict: The model in inference mode: images `(batch_size, ...)` → logits
            `(batch_size, K)`, such as `model.predict_on_batch`.
        images: Array `(N, ...)`.
        classes: Two classes a, b.
        augment: Called as `augment(images, training=True)`; see `augment_seeded`.
        draws: L, at least 2. Default: 5.
        batch_size: Images in a batch. Default: 256.
        seed: Integer ≥ 0; the same seed gives the same augmentations. Default: 0.

    Returns:
        float64 `(N, L)`: z_a − z_b.

    Raises:
        InputError: If the outputs are not `(batch_size, K)`, or lack one of the classes.

    Example:
    >>> import numpy as np
    >>> from ls_keras.information.augmented_logits import augmented_differences
    >>> def shift(images, training, seed):
    ...     return images + seed
    >>> def double(images):
    ...     return 2 * images
    >>> augmented_differences(double, np.array([[3.0, 1.0]]), (0, 1), shift, draws=3)
    array([[4., 4., 4.]])
    """
    check_draws(draws)
    size = min(batch_size, len(images))
    samples = np.empty((len(images), draws))
    for draw in range(draws):
        for start in range(0, len(images), size):
            part = images[start : start + size]
            padded = np.concatenate([part, np.repeat(part[:1], size - len(part), axis=0)])
            augmented = augment_seeded(augment, padded, seed, draw, start // size)
            logits = np.asarray(ops.convert_to_numpy(predict(augmented)), np.float64)
            _check_logits(logits, size, classes)
            differences = logits[:, classes[0]] - logits[:, classes[1]]
            samples[start : start + len(part), draw] = differences[: len(part)]
    return samples


def augment_seeded(augment: Callable, images: np.ndarray, *seeds: int):
    """Augments images with random numbers that depend on `seeds` alone.

    The seed generators of a Keras layer or model are set and then restored; a function with an
    argument `seed` receives an integer. Other functions are called without a seed.

    Args:
        augment: A layer, a model or a function of images.
        images: Array `(n, ...)`.
        seeds: Integers ≥ 0.
    """
    mixed = int(np.random.default_rng(seeds).integers(2**31))
    if not isinstance(augment, keras.layers.Layer):
        names = _parameters(augment)
        arguments = {"training": True, "seed": mixed}
        return augment(images, **{k: v for k, v in arguments.items() if k in names})
    if not augment.built:  # the first call creates the generators
        augment(images, training=True)
    states = [v for v in augment.variables if v.name == "seed_generator_state"]
    before = [np.array(ops.convert_to_numpy(state)) for state in states]
    try:
        for i, state in enumerate(states):
            state.assign(np.array([(mixed + i) % 2**31, 0], before[i].dtype))
        has_training = "training" in inspect.signature(augment.call).parameters
        arguments = {"training": True} if has_training else {}
        return ops.convert_to_numpy(augment(images, **arguments))
    finally:
        for state, value in zip(states, before, strict=True):
            state.assign(value)


def check_draws(draws: int) -> None:
    """Raises an `InputError` unless `draws` is an integer of at least 2."""
    as_count(draws, "draws", 2, 2**20)


def _parameters(function: Callable) -> set[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in functions have no signature
        return set()
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return {"training", *(p.name for p in parameters)}
    return {p.name for p in parameters}


def _check_logits(logits: np.ndarray, size: int, classes: Sequence[int]) -> None:
    if logits.ndim != 2 or logits.shape[0] != size:
        raise InputError(
            f"Expected a row of logits for each image, ({size}, K). Received: shape {logits.shape}"
        )
    if not all(0 <= c < logits.shape[1] for c in classes):
        raise InputError(f"Expected classes in [0, {logits.shape[1]}). Received: {tuple(classes)}")
