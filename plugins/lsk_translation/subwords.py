"""A joint sub-word vocabulary: SentencePiece, trained on the training text.

The `sentencepiece` package does the work: it is what keras-hub's `compute_sentence_piece_proto`
calls (which itself insists on TensorFlow), and tensorflow-text's `SentencepieceTokenizer` reads
the same model and gives the same ids (where a unigram model finds two orders of the same pieces
equally likely, rounding may choose the other).
"""

import io
import itertools
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from ls_base.errors import MissingExtraError
from ls_base.process import num_cores
from lsk_engine import InputError

PAD_ID, UNKNOWN_ID, START_ID, END_ID = 0, 1, 2, 3
UNUSED = (PAD_ID, START_ID, UNKNOWN_ID)  # ids that never are labels
_MOST_LINES = 1_000_000  # of a larger text, evenly spaced lines are trained on
_CHUNK = 100_000  # lines; bounds the memory of Python lists of ids
_IN_MEMORY = 1 << 18  # lines whose ids are; those of more are in a temporary file


class SubwordVocabulary:
    r"""Sub-words and their ids: 0 padding, 1 unknown, 2 start, 3 end, then the pieces.

    Text is taken as it is: no Unicode normalization and no change of case, since BLEU compares
    with the reference as it was written. Only spaces are tidied (runs of them become one, those
    at the ends go), and U+2581 "▁", which SentencePiece uses for itself, comes back as a space.

    Args:
        model: The bytes of a SentencePiece model with the ids above.

    Attributes:
        pieces: The pieces in the order of their ids.

    Raises:
        InputError: If the bytes are no such model.

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
        try:
            if not model:  # sentencepiece takes no bytes for no model yet
                raise RuntimeError("no bytes")
            self._processor = _sentencepiece().SentencePieceProcessor(model_proto=self._model)
            ids = tuple(
                getattr(self._processor, name)()
                for name in ("pad_id", "unk_id", "bos_id", "eos_id")
            )
            self.pieces = tuple(self._processor.id_to_piece(list(range(self.size))))
        except (RuntimeError, ValueError) as error:  # ValueError: text that is not UTF-8
            raise InputError(
                f"Expected the bytes of a SentencePiece model. Received: {len(model)} bytes that "
                "are none"
            ) from error
        if ids != (PAD_ID, UNKNOWN_ID, START_ID, END_ID):
            raise InputError(
                "Expected a SentencePiece model with the ids 0 padding, 1 unknown, 2 start, 3 end. "
                f"Received: {ids}"
            )

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
        """Trains on text: of the training split only, both languages together.

        Deterministic: one thread, and no sampling but evenly spaced lines of texts above a
        million lines.

        Args:
            texts: Lines of text; of a sequence, few are in memory at a time.
            size: Number of ids wanted, the four special ones included. Where the text gives
                fewer, the vocabulary is as large as it gives: compare `.size`.
            model_type: "unigram" or "bpe".
            split_digits: Make each digit a piece of its own: numbers are copied, not learned.
            byte_fallback: Spend 256 ids on bytes, so that characters unseen in training survive
                the round trip; without them, they become the unknown id.
            character_coverage: Share of the text's characters that get pieces of their own; the
                rare rest falls back to bytes. 0.9995 suits large texts of many scripts.

        Raises:
            InputError: If there is no text, or if `size` cannot hold the characters.
        """
        if model_type not in ("unigram", "bpe"):
            raise InputError(f"Expected model_type 'unigram' or 'bpe'. Received: {model_type!r}")
        lines = list(texts) if iter(texts) is texts else texts  # it is gone through twice
        count = sum(1 for _ in _filled(lines))
        if not count:
            raise InputError("Expected text to train sub-words on. Received: no text")
        chosen = itertools.islice(_filled(lines), 0, None, -(-count // _MOST_LINES))
        model = io.BytesIO()
        try:
            _sentencepiece().SentencePieceTrainer.train(
                sentence_iterator=chosen,
                model_writer=model,
                vocab_size=size,
                model_type=model_type,
                split_digits=split_digits,
                byte_fallback=byte_fallback,
                character_coverage=character_coverage,
                hard_vocab_limit=False,
                normalization_rule_name="identity",
                pad_id=PAD_ID,
                unk_id=UNKNOWN_ID,
                bos_id=START_ID,
                eos_id=END_ID,
                max_sentence_length=1 << 20,
                num_threads=1,
                minloglevel=2,
            )
        except (RuntimeError, OSError) as error:
            raise InputError(_explain(str(error), size, byte_fallback)) from error
        return cls(model.getvalue())

    @property
    def size(self) -> int:
        """Number of ids."""
        return self._processor.get_piece_size()

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Turns texts into ids, without start and end.

        Args:
            texts: N texts.

        Returns:
            The ids of all texts one after another, int32, and N + 1 offsets, int64: text `i` is
            `ids[offsets[i]:offsets[i + 1]]`. Of more than 262,144 texts, the ids are behind a
            memory map of a temporary file (`TMPDIR` says where), of the smallest type that
            holds them.
        """
        lengths = [np.zeros(0, np.int64)]
        flat: list[np.ndarray] = [np.zeros(0, np.int32)]
        file = None
        if len(texts) > _IN_MEMORY:
            # Of two bytes an id for most vocabularies; nobody needs its name.
            file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
            dtype = np.min_scalar_type(self.size - 1)
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
        """Turns each sequence of ids into text; padding, start and end are left out.

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
        """Returns the SentencePiece model."""
        return self._model

    @classmethod
    def from_bytes(cls, model: bytes) -> "SubwordVocabulary":
        """Makes a vocabulary of what `to_bytes` gave."""
        return cls(model)


def _filled(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line and not line.isspace())


def _explain(error: str, size: int, byte_fallback: bool) -> str:
    required = re.search(r"required_chars\. \d+ vs (\d+)", error)
    if required:
        fixed = "4 special ids" + (" and 256 bytes" if byte_fallback else "")
        return (
            f"Expected a vocabulary size of at least {required.group(1)} (the text's characters, "
            f"{fixed}). Received: size={size}"
        )
    return (
        f"Expected text and a vocabulary size that sub-words can be trained with. Received: {error}"
    )


def _sentencepiece():
    try:
        import sentencepiece
    except ImportError as error:  # pragma: no cover - the extra is installed where tests run
        raise MissingExtraError(
            "Expected the translation extra: pip install 'ls-keras[translation]'. "
            f"Received: {error}"
        ) from error
    return sentencepiece
