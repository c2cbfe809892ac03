"""`lsk diagnose`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ls_base.errors import InputError
from lsk.support import options, tables
from lsk_engine.devices.backend import load_backend

if TYPE_CHECKING:
    import numpy as np

_LABELS = ("y_true", "labels", "y")
_PREDICTIONS = ("logits", "probabilities")
_OPTIONS = {
    "pass from_logits=True": "use --logits",
    "`ignore_class`": "--ignore-class",
    "ignore_class": "--ignore-class",
    "`sample_weight`": "--weights",
    "sample_weight": "weights",
}


@click.command(short_help="Diagnose a model's predictions from arrays.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--labels", metavar="KEY", help="Array of labels. [default: y_true, labels or y]")
@click.option("--logits", metavar="KEY", help="Array of logits (..., K). [default: logits]")
@click.option(
    "--probabilities",
    metavar="KEY",
    help="Array of probabilities (..., K). [default: probabilities]",
)
@click.option("--weights", metavar="KEY", help="Array of example weights.")
@click.option(
    "--groups",
    metavar="KEY",
    help="Array of group numbers; examples of a group depend on each other.",
)
@click.option(
    "--ignore-class",
    type=int,
    multiple=True,
    metavar="ID",
    help="Label to ignore; may be repeated.",
)
@click.option("--bins", default=15, show_default=True, help="Number of bins of the ECE.")
@click.option("--seed", default=0, show_default=True, help="Random seed of resamples and folds.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("diagnosis.png"),
    show_default=True,
    help="Image file; an SVG and its numbers as JSON go beside it.",
)
@options.as_json
def diagnose(
    file: Path | None,
    labels: str | None,
    logits: str | None,
    probabilities: str | None,
    weights: str | None,
    groups: str | None,
    ignore_class: tuple[int, ...],
    bins: int,
    seed: int,
    output: Path,
    as_json: bool,
) -> None:
    """Diagnose the predictions in FILE.npz, of any framework, and recommend what to do.

    FILE has labels (y_true, labels or y) and either logits or probabilities; a KEY names another
    array. Without FILE, each KEY is the path of an .npy file. An array class_names may name the
    classes.
    """
    names: dict[str, str | None] = {
        "labels": labels,
        "logits": logits,
        "probabilities": probabilities,
        "weights": weights,
        "groups": groups,
    }
    arrays, sources = _read_files(names) if file is None else _read_archive(file, names)
    load_backend()
    import ls_keras

    given = "logits" if "logits" in arrays else "probabilities"
    class_names = arrays.get("class_names")
    try:
        found = ls_keras.diagnose(
            arrays["labels"],
            arrays[given],
            from_logits=given == "logits",
            sample_weight=arrays.get("weights"),
            groups=arrays.get("groups"),
            ignore_class=list(ignore_class) or None,
            class_names=None if class_names is None else class_names.tolist(),
            num_bins=bins,
            seed=seed,
        )
    except InputError as error:
        hint = "; --ignore-class, or weights of 0, leave examples out" * ("NaN" in str(error))
        raise InputError(f"{_name_options(str(error))} ({sources}{hint})") from error
    found.save(output)
    if as_json:
        options.echo_json(found.to_dict())
        return
    click.echo(found)
    tables.echo_saved(output)


def _read_archive(file: Path, names: dict[str, str | None]) -> tuple[dict[str, "np.ndarray"], str]:
    """Returns the arrays of an `.npz` file by role, and their sources for error messages."""
    from ls_base.npz import ArraySpec, npz_names, read_npz

    if file.suffix == ".npy":
        raise InputError(
            f"Expected an .npz file; of .npy files, --labels FILE with --logits FILE or "
            f"--probabilities FILE. Received: {file}"
        )
    stored = npz_names(file, error=InputError)
    keys = {role: key for role, key in names.items() if key is not None}
    for role, key in keys.items():
        if key not in stored:
            raise InputError(
                f"Expected the name of an array in {file} after --{role}. "
                f"Received: {key!r}; it has {_list_names(stored)}"
            )
    if "labels" not in keys:
        keys["labels"] = _find_array(_LABELS, stored, "labels", "--labels KEY", file)
    if not keys.keys() & set(_PREDICTIONS):
        option = "--logits KEY or --probabilities KEY"
        found = _find_array(_PREDICTIONS, stored, "predictions", option, file)
        keys[found] = found
    _check_predictions(keys)
    if "class_names" in stored:
        keys["class_names"] = "class_names"
    wanted = {key: ArraySpec(_kinds(role)) for role, key in keys.items()}
    read = read_npz(file, wanted, error=InputError)
    return {role: read[key] for role, key in keys.items()}, _describe(keys, str(file))


def _read_files(names: dict[str, str | None]) -> tuple[dict[str, "np.ndarray"], str]:
    """Returns the arrays of `.npy` files by role, and their sources for error messages."""
    from ls_base.npz import ArraySpec, open_npy

    paths = {role: path for role, path in names.items() if path is not None}
    if "labels" not in paths or not paths.keys() & set(_PREDICTIONS):
        given = ", ".join(f"--{role}" for role in paths)
        raise InputError(
            "Expected FILE.npz, or .npy files: --labels FILE with --logits FILE or "
            f"--probabilities FILE. Received: {given or 'neither'}"
        )
    _check_predictions(paths)
    read = {
        role: open_npy(Path(path), ArraySpec(_kinds(role)), error=InputError)
        for role, path in paths.items()
    }
    return read, _describe(paths, None)


def _find_array(
    known: tuple[str, ...], stored: list[str], what: str, option: str, file: Path
) -> str:
    """Returns the name of the only array with a default name, or raises an InputError."""
    found = [name for name in known if name in stored]
    if len(found) == 1:
        return found[0]
    raise InputError(
        f"Expected one array of {what} in {file}, named {' or '.join(known)}; {option} names "
        f"another. Received: {_list_names(found or stored)}"
    )


def _check_predictions(keys: dict[str, Any]) -> None:
    if set(_PREDICTIONS) <= keys.keys():
        raise InputError("Expected --logits or --probabilities. Received: both")


def _kinds(role: str) -> str:
    return {"class_names": "U", "groups": "iu"}.get(role, "biuf")


def _list_names(names: list[str]) -> str:
    shown = ", ".join(names[:12]) or "no arrays"
    return shown + f" and {len(names) - 12} more" * (len(names) > 12)


def _describe(keys: dict[str, str], file: str | None) -> str:
    """Returns the source of each array, for an error message."""
    parts = ", ".join(f"{role} from {key}" for role, key in keys.items())
    return parts if file is None else f"{parts} in {file}; options choose others"


def _name_options(message: str) -> str:
    """Returns a message of the library with options instead of arguments."""
    for argument, option in _OPTIONS.items():
        message = message.replace(argument, option)
    return message
