"""A joint sub-word vocabulary of both languages, trained with SentencePiece.

keras-hub's `compute_sentence_piece_proto` calls the same package but needs TensorFlow;
tensorflow-text's `SentencepieceTokenizer` reads the same model and gives the same ids (if two
segmentations of a unigram model are equally likely, rounding may choose the other).
"""

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from ls_base.process import num_cores
from lsk_engine import InputError
from lsk_engine.data.formats.sentencepiece_model import load_model, train_model

PAD_ID, UNKNOWN_ID, START_ID, END_ID = 0, 1, 2, 3
UNUSED = (PAD_ID, START_ID, UNKNOWN_ID)  # ids that are never labels
_IDS = {"pad_id": PAD_ID, "unk_id": UNKNOWN_ID, "bos_id": START_ID, "eos_id": END_ID}
_MAX_LINES = 1_000_000  # of a larger text, evenly spaced lines are trained on
_CHUNK = 100_000  # lines encoded at once; bounds the memory of Python lists of ids
_IN_MEMORY = 1 << 18  # lines whose ids stay in memory; those of more go to a temporary file


class SubwordVocabulary:
    r"""Sub-words and their ids: 0 padding, 1 unknown, 2 start, 3 end, then the pieces.

    There is no Unicode normalization and no change of case, since BLEU compares with the reference
    as it was written. Only spaces are normalized (runs become one, those at the ends are removed),
    and U+2581 "▁", which SentencePiece uses internally, is decoded as a space.

    Args:
        model: The bytes of a SentencePiece model with these ids.

    Attributes:
        pieces: The pieces in the order of their ids.

    Raises:
        InputError: If the bytes are not such a model.

    Example:
        >>> text = ["the cat sat", "the dog sat", "die Katze saß", "der Hund saß"]
        >>> vocabulary = SubwordVocabulary.train(text, size=40, byte_fallback=False)
        >>> ids, offsets = vocabulary.encode(["the Hund", "saß"])
        >>> offsets.tolist()[-1] == len(ids)
        True
        >>> vocabulary.decode(np.split(ids, offsets[1:-1]))
        ['the Hund', 'saß']
    """

    def __init__(self, model: bytes):
        self._model = bytes(model)
        self._processor = load_model(self._model, _IDS)
        self.pieces = tuple(self._processor.id_to_piece(list(range(self.size))))

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        size: int,
        model_type: Literal["unigram", "bpe"] = "unigram",
        split_digits: bool = False,
        byte_fallback: bool = True,
        character_coverage: float = 1.0,
    ) -> "SubwordVocabulary":
        """Trains on the text of the training split, both languages together.

        Deterministic: one thread, and evenly spaced lines of texts above a million lines.

        Args:
            texts: Lines of text; a sequence is read piece by piece.
            size: Number of ids, the four special ones included. The vocabulary is smaller if the
                text gives fewer: compare `.size`.
            model_type: "unigram" or "bpe".
            split_digits: Whether each digit is a piece of its own, so that numbers are copied.
            byte_fallback: Whether to spend 256 ids on bytes, so that characters that training has
                not seen survive the round trip; otherwise they become the unknown id.
            character_coverage: Fraction of the text's characters that get pieces of their own; the
                rare rest falls back to bytes. 0.9995 suits large texts of many scripts.

        Raises:
            InputError: If there is no text, or if `size` cannot hold the characters.
        """
        if model_type not in ("unigram", "bpe"):
            raise InputError(f"Expected model_type 'unigram' or 'bpe'. Received: {model_type!r}")
        lines = list(texts) if iter(texts) is texts else texts  # it is read twice
        count = sum(1 for _ in _without_blanks(lines))
        if not count:
            raise InputError("Expected text to train sub-words on. Received: no text")
        chosen = itertools.islice(_without_blanks(lines), 0, None, -(-count // _MAX_LINES))
        return cls(
            train_model(
                chosen,
                size,
                _IDS,
                model_type=model_type,
                split_digits=split_digits,
                byte_fallback=byte_fallback,
                character_coverage=character_coverage,
                max_sentence_length=1 << 20,
            )
        )

    @property
    def size(self) -> int:
        """Number of ids."""
        return self._processor.get_piece_size()

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Turns texts into ids, without start and end.

        Args:
            texts: N texts.

        Returns:
            The concatenated ids, int32, and N + 1 offsets, int64: text `i` is
            `ids[offsets[i]:offsets[i + 1]]`. The ids of more than 262,144 texts are a memory map of
            a temporary file (in `TMPDIR`), of the smallest type that holds them.
        """
        lengths = [np.zeros(0, np.int64)]
        flat: list[np.ndarray] = [np.zeros(0, np.int32)]
        file = None
        if len(texts) > _IN_MEMORY:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
            dtype = np.min_scalar_type(self.size - 1)  # two bytes an id for most vocabularies
        threads = min(8, num_cores())
        for start in range(0, len(texts), _CHUNK):
            rows = self._processor.encode(list(texts[start : start + _CHUNK]), num_threads=threads)
            count = np.fromiter(map(len, rows), np.int64, len(rows))
            ids = itertools.chain.from_iterable(rows)
            found = np.fromiter(ids, np.int32, int(count.sum()))
            lengths.append(count)
            if file is None:
                flat.append(found)
            else:
                file.write(found.astype(dtype).data)
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        if file is None or not offsets[-1]:
            return np.concatenate(flat), offsets
        with file:
            file.flush()
            return np.memmap(file, dtype, "r"), offsets

    def decode(self, ids: Iterable[Sequence[int] | np.ndarray]) -> list[str]:
        """Turns sequences of ids into texts; padding, start and end are left out.

        Raises:
            InputError: If an id lies outside the vocabulary.
        """
        rows = [np.asarray(row, dtype=np.int64).tolist() for row in ids]
        for row in rows:
            if row and not (min(row) >= 0 and max(row) < self.size):
                wrong = next(i for i in row if not 0 <= i < self.size)
                raise InputError(f"Expected ids in [0, {self.size}). Received: {wrong}")
        return self._processor.decode(rows) if rows else []

    def to_bytes(self) -> bytes:
        """Returns the SentencePiece model, which the constructor takes."""
        return self._model


def _without_blanks(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line and not line.isspace())
