"""The units of transcripts, and their ids: words, characters or sub-words."""

import abc
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from ls_base.errors import LsKerasError
from ls_base.records import Record, decode_record
from lsk_engine import InputError
from lsk_engine.data.formats.sentencepiece_model import load_model, train_model

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})
_LOOSE_APOSTROPHE = re.compile(r"(?<!\w)'+|'+(?!\w)")


def normalize(text: str) -> str:
    """Normalizes a transcript for training and scoring.

    Unicode form NFKC, lower case; typographic apostrophes become `'` and stay inside words; every
    other character that is not a letter, mark or digit becomes a space; runs of spaces become one.

    Example:
        >>> normalize("“Don’t PANIC”, she said -- 'twice'.")
        "don't panic she said twice"
    """
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).lower()
    kept = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return " ".join(_LOOSE_APOSTROPHE.sub(" ", kept).split())


PAD_ID, START_ID, END_ID, UNKNOWN_ID = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")
UNUSED = (PAD_ID, START_ID)  # ids that are never labels
_IDS = {"pad_id": PAD_ID, "unk_id": UNKNOWN_ID, "bos_id": START_ID, "eos_id": END_ID}
UNITS_FILE, SUBWORDS_FILE = "units.json", "subwords.model"


class Units(abc.ABC):
    """Units and their ids: 0 padding, 1 start, 2 end, 3 unknown, then the units.

    Attributes:
        names: A name for each id, special ones included.
        artifacts: Files from which `load_units` restores the units.
    """

    names: Sequence[str]
    artifacts: Mapping[str, bytes]

    @property
    def size(self) -> int:
        """Number of ids."""
        return len(self.names)

    @abc.abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """Returns the ids of a normalized transcript, int32, without start and end."""

    @abc.abstractmethod
    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Returns ids as text; padding, start and end are left out."""


class ListedUnits(Units):
    """The words or characters of the training transcripts.

    Args:
        kind: `words` or `characters`.
        units: All of them, in the order of the ids.

    Example:
        >>> units = ListedUnits("words", ["one", "two"])
        >>> units.encode("two one three").tolist()
        [5, 4, 3]
        >>> units.decode([1, 5, 4, 3, 2, 0])
        'two one <unknown>'
    """

    def __init__(self, kind: str, units: Sequence[str]):
        self._kind, self._ids = kind, {unit: 4 + i for i, unit in enumerate(units)}
        self._texts = [*SPECIAL, *units]
        self.names = tuple("▁" if unit == " " else unit for unit in self._texts)
        listed = json.dumps({"kind": kind, "units": list(units)}, ensure_ascii=False)
        self.artifacts = {UNITS_FILE: listed.encode()}

    @classmethod
    def from_texts(cls, kind: str, texts: Iterable[str]) -> "ListedUnits":
        """Collects the units of transcripts, sorted."""
        found: set[str] = set()
        for text in texts:
            found.update(text.split() if kind == "words" else text)
        return cls(kind, sorted(found))

    def encode(self, text: str) -> np.ndarray:
        """Returns the ids of a transcript; units that training did not have are `UNKNOWN_ID`."""
        pieces = text.split() if self._kind == "words" else text
        return np.array([self._ids.get(piece, UNKNOWN_ID) for piece in pieces], np.int32)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Returns ids as text; an unknown character is U+FFFD."""
        texts = [self._texts[i] for i in ids if i not in (PAD_ID, START_ID, END_ID)]
        if self._kind == "words":
            return " ".join(texts)
        return " ".join(
            "".join("\N{REPLACEMENT CHARACTER}" if len(t) > 1 else t for t in texts).split()
        )


class Subwords(Units):
    """SentencePiece's unigram sub-words.

    Args:
        model: The bytes of a SentencePiece model with the ids above.

    Raises:
        InputError: If the bytes are not such a model.
    """

    def __init__(self, model: bytes):
        self._processor = load_model(model, _IDS)
        pieces = self._processor.id_to_piece(list(range(self._processor.get_piece_size())))
        self.names = (*SPECIAL, *pieces[4:])
        self.artifacts = {SUBWORDS_FILE: bytes(model)}

    @classmethod
    def from_texts(cls, texts: Iterable[str], size: int) -> "Subwords":
        """Trains on transcripts: `size` ids, or as many as they give."""
        return cls(train_model(texts, size, _IDS, model_type="unigram", character_coverage=1.0))

    def encode(self, text: str) -> np.ndarray:
        """Returns the ids of a transcript."""
        return np.array(self._processor.encode(text), np.int32)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Returns ids as text; an unknown character is U+FFFD."""
        pieces = [int(i) for i in ids if i not in (PAD_ID, START_ID, END_ID)]
        return self._processor.decode(pieces).replace(" ⁇ ", "\N{REPLACEMENT CHARACTER}").strip()


def make_units(kind: str, texts: Sequence[str], vocabulary_size: int) -> Units:
    """Builds the units of normalized training transcripts.

    Args:
        kind: `words`, `characters` or `subwords`.
        texts: The transcripts.
        vocabulary_size: Number of ids of `subwords`, special ones included.
    """
    if kind == "subwords":
        return Subwords.from_texts(texts, vocabulary_size)
    return ListedUnits.from_texts(kind, texts)


def load_units(artifacts: Mapping[str, bytes]) -> Units:
    """Loads the units of a run from its artifacts.

    Raises:
        LsKerasError: If they are missing or damaged.
    """
    if SUBWORDS_FILE in artifacts:
        return Subwords(artifacts[SUBWORDS_FILE])
    if UNITS_FILE not in artifacts:
        raise LsKerasError(f"Expected {UNITS_FILE} or {SUBWORDS_FILE} of a run. Received: neither")
    listed = decode_record(artifacts[UNITS_FILE], _Listed, UNITS_FILE, error=InputError)
    if len(set(listed.units)) < len(listed.units) or not all(listed.units):
        raise InputError(
            f"Expected units in {UNITS_FILE} that are distinct and not empty. Received: others"
        )
    if listed.kind == "characters" and any(len(unit) > 1 for unit in listed.units):
        raise InputError(f"Expected characters in {UNITS_FILE}. Received: longer units")
    return ListedUnits(listed.kind, listed.units)


class _Listed(Record, frozen=True):
    kind: Literal["words", "characters"]
    units: list[str]
