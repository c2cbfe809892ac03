"""Classifies picture files with the model of a run."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import scipy.special

import lsk_image.model  # noqa: F401 - registers the layers of the saved model
from ls_base.errors import LsKerasError
from ls_base.safe_open import read_bytes
from lsk_engine import Config, InputError
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.tasks.class_ids import class_names
from lsk_image.formats.array_files import JpegArray, open_images
from lsk_image.formats.decode import decode_image
from lsk_image.formats.image_store import ArrayPixels
from lsk_image.scoring import rank_logits

_MAX_BYTES = 1 << 28  # of one file


class Prediction(NamedTuple):
    """A class and its probability."""

    name: str
    probability: float


class ClassifiedImage(NamedTuple):
    """The most likely classes of a picture, the most likely first, or an error message."""

    file: str
    predictions: list[Prediction]
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
) -> Iterator[ClassifiedImage]:
    """Yields the most likely classes of each picture, in the order of the files.

    Pictures are resized and converted to the model's input. A picture that cannot be read yields
    an error message; the others continue.

    Args:
        run: A finished run.
        config: Its configuration.
        files: Pictures, `.npz` files of pictures, or `-` for the content of `stdin`.
        reporter: Receives progress.
        stdin: An encoded picture.
        top: Number of classes per picture.
        temperature: T, which divides the logits.
        batch_size: Pictures per batch; `None`: the run's `decoding.batch_size`.

    Raises:
        InputError: If the run does not name its classes.
        FileError: If the run is not finished.
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
    batch: list[tuple[str, np.ndarray | str]] = []
    done = 0
    progress = reporter.counter("classifying", "pictures")
    for item in _read_pictures(files, stdin, shape):
        batch.append(item)
        if len(batch) == size:
            yield from _classify(model, batch, names, top, temperature)
            done += len(batch)
            progress(done, done + 1)
            batch = []
    yield from _classify(model, batch, names, top, temperature)
    progress(done + len(batch), done + len(batch))


def _classify(
    model: keras.Model,
    pictures: Sequence[tuple[str, Any]],
    names: Sequence[str],
    top: int,
    temperature: float,
) -> Iterator[ClassifiedImage]:
    images = [picture for _, picture in pictures if not isinstance(picture, str)]
    rows: Iterator[tuple[Any, Any]] = iter(())
    if images:
        logits = np.asarray(model.predict_on_batch({"image": np.stack(images)}), np.float64)
        probabilities = scipy.special.softmax(logits / temperature, axis=-1)
        rows = iter(zip(rank_logits(logits, top), probabilities, strict=True))
    for file, picture in pictures:
        if isinstance(picture, str):
            yield ClassifiedImage(file, [], picture)
        else:
            ids, values = next(rows)
            yield ClassifiedImage(file, [Prediction(names[i], float(values[i])) for i in ids])


def _read_pictures(
    files: Sequence[Path], stdin: bytes | None, shape: tuple[int, ...]
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yields the name and the pixels of each picture, or an error message in place of pixels."""
    for file in files:
        name = str(file)
        try:
            if name == "-":
                yield "stdin", _decode(stdin or b"", "stdin", shape)
            elif file.suffix == ".npz":
                yield from _read_npz(file, shape)
            else:
                content = read_bytes(file, max_bytes=_MAX_BYTES, error=InputError)
                yield name, _decode(content, name, shape)
        except InputError as error:
            yield name, str(error)


def _read_npz(file: Path, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray | str]]:
    found = open_images(file)
    if isinstance(found, JpegArray):
        for row, content in enumerate(found):
            name = f"{file}[{row}]"
            try:
                yield name, _decode(content, name, shape)
            except InputError as error:
                yield name, str(error)
    elif "images" in found:
        pixels = ArrayPixels(found["images"], f"images of {file}", _square(shape), shape[2])
        _check_shape(pixels.shape, f"images of {file}", shape)
        for row in range(len(pixels)):
            yield f"{file}[{row}]", pixels.gather(np.array([row]))[0]
    else:
        raise InputError(
            f"Expected images, or jpeg and offsets, in {file}. "
            f"Received: {', '.join(sorted(found)) or 'neither'}"
        )


def _decode(content: bytes, name: str, shape: tuple[int, ...]) -> np.ndarray:
    image = decode_image(content, name, _square(shape), shape[2])
    _check_shape(image.shape, name, shape)
    return image


def _square(shape: tuple[int, ...]) -> int | None:
    return shape[0] if shape[0] == shape[1] else None


def _check_shape(found: tuple[int, ...], name: str, shape: tuple[int, ...]) -> None:
    if tuple(found) != tuple(shape):
        raise InputError(
            f"Expected pictures of {shape[0]} × {shape[1]}, as in training. "
            f"Received: {name} of {found[0]} × {found[1]}"
        )
