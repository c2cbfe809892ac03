"""Classes as people name them."""

from collections.abc import Mapping, Sequence

from ls_base.errors import InputError, suggest
from ls_base.files import json_bytes
from ls_base.records import decode_record
from lsk_engine.tasks.contract import TaskData

MAX_CLASSES = 1_000_000  # where the largest label determines the number of classes
CLASSES_FILE = "classes.json"  # of a run's artifacts: the names of its classes, by number


def count_classes(largest: int) -> int:
    """Returns the number of classes of data without class names.

    Args:
        largest: The largest label.

    Raises:
        InputError: If it is so large that it is probably no class id.
    """
    if largest >= MAX_CLASSES:
        raise InputError(
            f"Expected labels from 0 to K - 1, with at most {MAX_CLASSES:,} classes if they have "
            f"no names. Received: {largest:,} as the largest label"
        )
    return largest + 1


def named_classes(names: Sequence[str]) -> dict[str, bytes]:
    """Returns the artifact that keeps the names of a run's classes."""
    return {CLASSES_FILE: json_bytes([str(name) for name in names])}


def class_names(artifacts: Mapping[str, bytes]) -> list[str]:
    """Returns the names of a run's classes.

    Args:
        artifacts: The run's.

    Raises:
        InputError: If it was trained before they were kept.
    """
    if CLASSES_FILE not in artifacts:
        raise InputError(
            f"Expected {CLASSES_FILE} among the run's artifacts, which runs have that are trained "
            f"now. Received: {', '.join(artifacts) or 'none'}"
        )
    return decode_record(artifacts[CLASSES_FILE], list[str], CLASSES_FILE)


def class_ids(names: Sequence[str], data: TaskData) -> tuple[int, ...]:
    """Returns the ids of classes given by name or, where no class has that name, by number.

    Args:
        names: Names, such as `airplane` or a sub-word, or numbers in `[0, K)`.
        data: What the classes are of.

    Raises:
        InputError: If there is no such class (with near matches), several have the name, or one
            is given twice.
    """
    found: list[int] = []
    for name in names:
        ids = [i for i, known in enumerate(data.class_names) if str(known) == name]
        if not ids and name.isdecimal() and int(name) < data.num_classes:
            ids = [int(name)]
        if not ids:
            known = [str(n) for n in data.class_names if str(n)]
            shown = suggest(name, known) if len(known) <= 100 else near_of_many(name, known)
            raise InputError(f"Expected a class of the run. {shown}")
        if len(ids) > 1:
            raise InputError(
                f"Expected one class {name!r}; give its number. Received: one of {ids}"
            )
        found.append(ids[0])
    if len(set(found)) < len(found):
        raise InputError(f"Expected different classes. Received: {', '.join(names)}")
    return tuple(found)


def near_of_many(received: str, known: Sequence[str]) -> str:
    """Returns the end of an error message like `near`, without listing a whole vocabulary."""
    text = suggest(received, known)
    if text.startswith("Known"):
        return f"Known: numbers below {len(known)}, and names. Received: {received!r}"
    return text
