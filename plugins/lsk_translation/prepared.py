"""Translation data on disk: ids and references that training reads through memory maps.

```
DIR/subwords.model, class_counts.npy, splits.json (the names, in order), and for each split
DIR/SPLIT/source_ids.npy, target_ids.npy          the ids of all sentences, concatenated
DIR/SPLIT/source_offsets.npy, target_offsets.npy  where each begins, and the end of the last
DIR/SPLIT/references.txt, reference_offsets.npy   the target text, UTF-8, and where lines begin
DIR/SPLIT/right.json                              all correct translations, if known
```
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ls_base.files import write_json
from ls_base.npz import ArraySpec, open_npy
from ls_base.records import read_record
from lsk_engine import Examples, InputError, TaskData
from lsk_engine.data.formats.ragged import Ragged, check_offsets, row_offsets
from lsk_engine.data.prepared.checksummed_files import CheckedFiles
from lsk_engine.data.prepared.prepared_data import PreparedData
from lsk_engine.data.prepared.split_files import read_artifacts, read_splits, write_splits
from lsk_translation.data import VOCABULARY_FILE, TextPairs, task_data
from lsk_translation.subwords import SubwordVocabulary

_COUNTS_FILE = "class_counts.npy"
_SIDES = ("source", "target")
_RIGHT_FILE = "right.json"


class Lines(Sequence[str]):
    """Lines of a UTF-8 file, read on access.

    Args:
        file: The file; each line ends with a newline.
        offsets: int64 `(n + 1,)`: the bytes where lines begin, and the length of the file.
        check: Checks rows on access, as in `Ragged`.

    Raises:
        InputError: If the offsets do not fit the file.
    """

    def __init__(
        self,
        file: Path,
        offsets: np.ndarray,
        check: Callable[[np.ndarray, np.ndarray], None] | None = None,
    ):
        content = np.zeros(0, np.uint8)
        if file.stat().st_size:  # there is no map of nothing
            content = np.memmap(file, np.uint8, "r")
        check_offsets(offsets, len(content), str(file))
        self._lines = Ragged(content, offsets, check)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        line = self._lines[range(len(self))[index]]
        return line[:-1].tobytes().decode("utf-8")


def write_prepared(data: TaskData, directory: Path) -> None:
    """Writes loaded data into a folder."""
    np.save(directory / _COUNTS_FILE, data.class_counts)
    dtype = np.min_scalar_type(data.num_classes - 1)  # two bytes an id for most vocabularies
    write_splits(data, directory, functools.partial(_write_pairs, dtype=dtype))


def load_prepared(prepared: PreparedData, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Opens prepared data.

    Args:
        prepared: The folder that `write_prepared` wrote.
        artifacts: The artifacts of the run that uses the data, which must have the same vocabulary;
            `None` for a new run.
    """
    stored = read_artifacts(prepared, [VOCABULARY_FILE], artifacts, what="another vocabulary")
    if VOCABULARY_FILE not in stored:
        raise InputError(f"Expected {VOCABULARY_FILE} in {prepared.path}. Received: none")
    vocabulary = SubwordVocabulary(stored[VOCABULARY_FILE])
    counts = open_npy(
        prepared.files.file(_COUNTS_FILE),
        ArraySpec("iu", (vocabulary.size,)),
        mapped=False,
        error=InputError,
    )
    splits = read_splits(prepared, functools.partial(_read_pairs, num_classes=vocabulary.size))
    return task_data(splits, vocabulary, counts, prepared.notes)


def _write_pairs(pairs: Examples, folder: Path, dtype: np.dtype) -> None:
    if not isinstance(pairs, TextPairs):
        raise InputError(f"Expected sentence pairs. Received: {type(pairs).__name__}")
    folder.mkdir()
    for side, sentences in zip(_SIDES, (pairs.source, pairs.target), strict=True):
        sentences.save(folder / f"{side}_ids.npy", folder / f"{side}_offsets.npy", dtype)
    right = [one for one in pairs.references if not isinstance(one, str)]
    if right:
        write_json(folder / _RIGHT_FILE, right)
    lines = (one if isinstance(one, str) else one[0] for one in pairs.references)
    with (folder / "references.txt").open("wb") as file:
        lengths = [file.write(f"{line}\n".encode()) for line in lines]
    np.save(folder / "reference_offsets.npy", row_offsets(lengths))


def _read_pairs(files: CheckedFiles, num_classes: int) -> TextPairs:
    def valid(ids: np.ndarray, file: Path) -> None:
        if len(ids) and not 0 <= ids.min() <= ids.max() < num_classes:
            raise InputError(
                f"Expected ids from 0 to {num_classes - 1} in {file}. "
                f"Received: {ids.min()} to {ids.max()}"
            )

    source, target = (
        files.ragged(f"{side}_ids.npy", f"{side}_offsets.npy", ArraySpec("iu", (None,)), valid)
        for side in _SIDES
    )
    ends = open_npy(
        files.file("reference_offsets.npy"), ArraySpec("i", (None,)), mapped=False, error=InputError
    )
    text, check = files.content("references.txt")
    lines = Lines(text, ends, check)
    if not len(source) == len(target) == len(lines):
        raise InputError(
            f"Expected as many sources, targets and references in {files.path}. "
            f"Received: {len(source)}, {len(target)} and {len(lines)}"
        )
    if _RIGHT_FILE not in files:
        return TextPairs(source, target, lines)
    right = read_record(files.file(_RIGHT_FILE), list[tuple[str, ...]], error=InputError)
    if len(right) != len(lines) or not all(right):
        raise InputError(
            f"Expected {len(lines)} lists of translations in {files.path / _RIGHT_FILE}. "
            f"Received: {len(right)}, of {min(map(len, right), default=0)} at least"
        )
    return TextPairs(source, target, right)
