"""The manifest of a prepared data set, `prepared.json`: its task, settings and checksums."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ls_base.errors import InputError
from ls_base.records import Record, convert_record, read_record
from ls_base.safe_open import expand_user, is_regular

MANIFEST_FILE = "prepared.json"
MANIFEST_SCHEMA = 1


class Manifest(Record, frozen=True):
    """The content of `prepared.json`."""

    task: str
    settings: dict[str, Any]
    notes: list[str]
    files: dict[str, dict[str, Any]]
    sha256: str | None = None


def is_prepared(source: str) -> bool:
    """Returns whether `source` is the path of a prepared data set."""
    return bool(source) and is_regular(expand_user(source) / MANIFEST_FILE)


def read_manifest(source: str, task: str) -> Manifest:
    """Reads the manifest of a prepared data set; `source` is not among its settings.

    Args:
        source: The path of a prepared data set.
        task: The name of the task that it must be prepared for.

    Raises:
        InputError: If it is damaged, of another task, or of another schema.
    """
    file = expand_user(source) / MANIFEST_FILE
    content = read_record(file, dict[str, Any], schema=MANIFEST_SCHEMA, error=InputError)
    manifest = convert_record(content, Manifest, str(file), error=InputError)
    if manifest.sha256 not in (None, manifest_digest(content)):
        raise InputError(
            f"Expected {file} as it was written; prepare the data set again, or copy it again. "
            "Received: another"
        )
    if manifest.task != task:
        raise InputError(
            f"Expected a data set prepared for task {task!r}. Received: {file.parent}, prepared "
            f"for {manifest.task!r}"
        )
    return manifest


def manifest_digest(content: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a manifest without its own digest.

    Args:
        content: The manifest, as JSON holds it.
    """
    signed = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(signed, sort_keys=True).encode()).hexdigest()
