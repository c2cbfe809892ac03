"""What a folder of a teacher's logits says of itself, and what it is held against."""

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec

from ls_base.errors import InputError
from ls_base.records import Count, Record
from ls_base.safe_open import open_regular
from ls_keras.distillation.fingerprint import DataFingerprint


class LogitsManifest(Record, frozen=True):
    """`teacher-logits.json`."""

    data: DataFingerprint
    teacher: str
    num_classes: Annotated[int, msgspec.Meta(ge=2, le=2**31)]
    top_k: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None
    ignore_class: int | None
    shape: tuple[Count, ...] | None
    sha256: dict[str, str] | None = None  # of the other files; there was none at first


def sha256_of(file: Path) -> str:
    """Returns the SHA-256 of a file, hexadecimal."""
    with open_regular(file, error=InputError) as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def check_data(expected: DataFingerprint, found: DataFingerprint, path: Path) -> None:
    """Refuses examples that the logits are not of, or another order.

    Args:
        expected: What the logits are of.
        found: What the examples are.
        path: The folder, for an error.

    Raises:
        InputError: If they are not the same.
    """
    if found.content != expected.content or found.examples != expected.examples:
        raise InputError(
            f"Expected the {expected.examples:,} examples that the teacher's logits in {path} are "
            f"of. Received: {found.examples:,} examples that are not the same"
        )
    if found.order != expected.order:
        raise InputError(
            "Expected the examples in the order that the teacher's logits are in, in "
            f"{path}. Received: the same examples in another order"
        )
