"""Classifying pictures with a run's model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

import lsk_image.model  # noqa: F401 - registers the layers of the saved model
from ls_base.errors import LsKerasError
from ls_base.npz import ArraySpec, npz_names, open_npz
from ls_base.safe_open import read_bytes
from lsk_engine import Config, InputError
from lsk_engine.data.formats.ragged import check_offsets
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.tasks.class_ids import class_names
from lsk_image.decoding import ranked
from lsk_image.formats.image_store import ArrayPixels, decode_image

_MOST_BYTES = 1 << 28  # of one picture's file


class Guess(NamedTuple):
    """A class and its probability."""

    name: str
    probability: float


class Classified(NamedTuple):
    """What a picture shows, the likeliest class first; or why it could not be read."""

    file: str
    guesses: list[Guess]
    error: str = ""


def classify_files(
    run: RunDirectory,
    config: Config,
    files: Sequence[Path],
    reporter: Reporter,
    *,
    stdin: bytes | None = None,
    top: int = 2,
    temperature: float = 1.0,
    batch_size: int | None = None,
) -> Iterator[Classified]:
    """Yields the likeliest classes of each picture, in their order.

    Pictures are brought to the size and colors that the model sees. One that can't be read is
    told in its place; the others go on.

    Args:
        run: A finished run.
        config: Its configuration.
        files: Pictures, `.npz` files of pictures, or `-`: what `stdin` holds.
        reporter: Who is told.
        stdin: A picture.
        top: How many classes.
        temperature: T, which divides the logits.
        batch_size: Pictures together; `None`: the run's `decoding.batch_size`.

    Raises:
        InputError: If the run doesn't say what its classes are.
        FileError: If it is not finished.
    """
    names = class_names(run.read_artifacts())
    model = run.load_model()
    if model.output_shape[-1] != len(names):
        raise LsKerasError(
            f"Expected a model over the {len(names)} classes of its run. "
            f"Received: one over {model.output_shape[-1]}"
        )
    size = batch_size or config.decoding.batch_size
    shape = tuple(model.inputs[0].shape[1:])
    waiting: list[tuple[str, np.ndarray | str]] = []
    done = 0
    progress = reporter.counter("classifying", "pictures")
    for file, picture in _pictures(files, stdin, shape):
        waiting.append((file, picture))
        if len(waiting) == size:
            yield from _classified(model, waiting, names, top, temperature)
            done += len(waiting)
            progress(done, done + 1)
            waiting = []
    yield from _classified(model, waiting, names, top, temperature)
    progress(done + len(waiting), done + len(waiting))


def _classified(
    model: keras.Model,
    pictures: Sequence[tuple[str, Any]],
    names: Sequence[str],
    top: int,
    temperature: float,
) -> Iterator[Classified]:
    images = [picture for _, picture in pictures if not isinstance(picture, str)]
    rows: Iterator[tuple[Any, Any]] = iter(())
    if images:
        logits = np.asarray(model.predict_on_batch({"image": np.stack(images)}), np.float64)
        rows = iter(zip(ranked(logits, top), _softmax(logits / temperature), strict=True))
    for file, picture in pictures:
        if isinstance(picture, str):
            yield Classified(file, [], picture)
        else:
            ids, probabilities = next(rows)
            guesses = [Guess(names[i], float(probabilities[i])) for i in ids]
            yield Classified(file, guesses)


def _softmax(logits: np.ndarray) -> np.ndarray:
    scaled = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


def _pictures(
    files: Sequence[Path], stdin: bytes | None, shape: tuple[int, ...]
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yields names and pixels, or what is wrong with a file in place of them."""
    for file in files:
        name = str(file)
        try:
            if name == "-":
                yield "stdin", _decoded(stdin or b"", "stdin", shape)
            elif file.suffix == ".npz":
                yield from _of_npz(file, shape)
            else:
                content = read_bytes(file, max_bytes=_MOST_BYTES, error=InputError)
                yield name, _decoded(content, name, shape)
        except InputError as error:
            yield name, str(error)


def _of_npz(file: Path, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray | str]]:
    known = set(npz_names(file, error=InputError))
    if {"jpeg", "offsets"} <= known:
        wanted = {"jpeg": ArraySpec("u", (None,)), "offsets": ArraySpec("iu", (None,))}
        arrays = open_npz(file, wanted, error=InputError)
        jpeg, ends = arrays["jpeg"], arrays["offsets"].read().astype(np.int64)
        check_offsets(ends, len(jpeg), str(file))
        for row in range(len(ends) - 1):
            name, content = f"{file}[{row}]", jpeg[ends[row] : ends[row + 1]]
            try:
                yield name, _decoded(content.tobytes(), name, shape)
            except InputError as error:
                yield name, str(error)
    elif "images" in known:
        array = open_npz(file, {"images": ArraySpec()}, error=InputError)["images"]
        pixels = ArrayPixels(array, f"images of {file}", _square(shape), shape[2])
        _check(pixels.shape, f"images of {file}", shape)
        for row in range(len(pixels)):
            yield f"{file}[{row}]", pixels.gather(np.array([row]))[0]
    else:
        raise InputError(
            f"Expected images, or jpeg and offsets, in {file}. "
            f"Received: {', '.join(sorted(known)) or 'no arrays'}"
        )


def _decoded(content: bytes, name: str, shape: tuple[int, ...]) -> np.ndarray:
    image = decode_image(content, name, _square(shape), shape[2])
    _check(image.shape, name, shape)
    return image


def _square(shape: tuple[int, ...]) -> int | None:
    return shape[0] if shape[0] == shape[1] else None


def _check(found: tuple[int, ...], name: str, shape: tuple[int, ...]) -> None:
    if tuple(found) != tuple(shape):
        raise InputError(
            f"Expected pictures of {shape[0]} × {shape[1]}, as the model has seen. "
            f"Received: {name} of {found[0]} × {found[1]}"
        )
