"""Translation data on disk: ids and references that training reads through memory maps.

```
DIR/subwords.model, class_counts.npy, splits.json (the names, in order), and for each split
DIR/SPLIT/source_ids.npy, target_ids.npy          all sentences' ids one after another
DIR/SPLIT/source_offsets.npy, target_offsets.npy  where each begins, and the end of the last
DIR/SPLIT/references.txt, reference_offsets.npy   the target text, UTF-8, and where lines begin
```
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ls_base.errors import InputError
from ls_base.files import read_json, write_json
from lsk_engine.data.prepared import PreparedData
from lsk_engine.tasks.contract import Examples, TaskData
from lsk_translation.data import VOCABULARY_FILE, Sentences, TextPairs, task_data
from lsk_translation.subwords import SubwordVocabulary

_COUNTS_FILE, _SPLITS_FILE = "class_counts.npy", "splits.json"
_CHUNK = 1 << 16  # sentences; bounds the memory that writing takes


class Lines(Sequence[str]):
    """Lines of a UTF-8 file, each read when it is asked for.

    Args:
        file: The file; each line has an end.
        offsets: int64 `(n + 1,)`: the bytes where lines begin, and the length of the file.
    """

    def __init__(self, file: Path, offsets: np.ndarray):
        self._bytes, self._offsets = np.memmap(file, np.uint8, "r"), offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        line = self._bytes[self._offsets[row] : self._offsets[row + 1] - 1]
        return line.tobytes().decode("utf-8")


def write_prepared(data: TaskData, directory: Path) -> None:
    """Writes what `lsk_translation.data.load` gave."""
    (directory / VOCABULARY_FILE).write_bytes(data.artifacts[VOCABULARY_FILE])
    np.save(directory / _COUNTS_FILE, data.class_counts)
    write_json(directory / _SPLITS_FILE, list(data.splits))
    dtype = np.min_scalar_type(data.num_classes - 1)  # two bytes an id for most vocabularies
    for name, pairs in data.splits.items():
        if not isinstance(pairs, TextPairs):
            raise InputError(f"Expected sentence pairs. Received: {type(pairs).__name__}")
        folder = directory / name
        folder.mkdir()
        _write_sentences(folder, "source", pairs.source, dtype)
        _write_sentences(folder, "target", pairs.target, dtype)
        lengths = []
        with (folder / "references.txt").open("wb") as file:
            for line in pairs.references:
                lengths.append(file.write(f"{line}\n".encode()))
        np.save(folder / "reference_offsets.npy", np.cumsum([0, *lengths], dtype=np.int64))


def load_prepared(prepared: PreparedData, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Opens what `write_prepared` wrote.

    Args:
        prepared: Where it is.
        artifacts: Of the run that the data are for, or `None`: its vocabulary must be this one.
    """
    model = (prepared.path / VOCABULARY_FILE).read_bytes()
    if artifacts is not None and artifacts.get(VOCABULARY_FILE) != model:
        raise InputError(
            "Expected the data that the run was trained on. Received: "
            f"{prepared.path}, prepared with another vocabulary"
        )
    splits: dict[str, Examples] = {
        name: _read_pairs(prepared.path / name) for name in read_json(prepared.path / _SPLITS_FILE)
    }
    counts = np.load(prepared.path / _COUNTS_FILE)
    return task_data(splits, SubwordVocabulary.from_bytes(model), counts, prepared.notes)


def _read_pairs(folder: Path) -> TextPairs:
    source, target = (
        Sentences(
            np.load(folder / f"{side}_ids.npy", mmap_mode="r"),
            np.load(folder / f"{side}_offsets.npy"),
        )
        for side in ("source", "target")
    )
    lines = Lines(folder / "references.txt", np.load(folder / "reference_offsets.npy"))
    return TextPairs(source, target, lines)


def _write_sentences(folder: Path, side: str, sentences: Sentences, dtype: np.dtype) -> None:
    """Writes the sentences one after another, whatever lies between them in their array."""
    offsets = np.cumsum([0, *sentences.lengths], dtype=np.int64)
    np.save(folder / f"{side}_offsets.npy", offsets)
    ids = np.lib.format.open_memmap(
        folder / f"{side}_ids.npy", "w+", dtype, shape=(int(offsets[-1]),)
    )
    for start in range(0, len(offsets) - 1, _CHUNK):
        lengths = sentences.lengths[start : start + _CHUNK]
        stop = start + len(lengths)
        begin, end = offsets[start], offsets[stop]
        # Where a sentence's piece lies, less where it goes.
        shifts = np.repeat(sentences.starts[start:stop] - offsets[start:stop], lengths)
        ids[begin:end] = sentences.ids[np.arange(begin, end) + shifts]
    ids.flush()
