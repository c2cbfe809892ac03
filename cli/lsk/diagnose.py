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
_OF_ARGUMENTS = {
    "pass from_logits=True": "use --logits",
    "`ignore_class`": "--ignore-class",
    "ignore_class": "--ignore-class",
    "`sample_weight`": "--weights",
    "sample_weight": "weights",
}


@click.command(short_help="Say whether a model's predictions are all right, from arrays.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--labels", metavar="KEY", help="Labels. [default: y_true, labels or y]")
@click.option("--logits", metavar="KEY", help="Logits (..., K). [default: logits]")
@click.option("--probabilities", metavar="KEY", help="Probabilities. [default: probabilities]")
@click.option("--weights", metavar="KEY", help="Weights of the examples.")
@click.option("--groups", metavar="KEY", help="Which examples depend on one another.")
@click.option(
    "--ignore-class", type=int, multiple=True, metavar="ID", help="A label that does not count."
)
@click.option("--bins", default=15, show_default=True, help="Bins of the ECE.")
@click.option("--seed", default=0, show_default=True, help="Of resamples and folds.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("diagnosis.png"),
    show_default=True,
    help="The image, also as SVG; its numbers go beside it as JSON.",
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
    """Diagnose the predictions in FILE.npz, of any framework: what to do is said in the end.

    FILE has labels (y_true, labels or y) and either logits or probabilities; KEY names others.
    Without FILE, each KEY is the path of an .npy file. Words in an array class_names name classes.
    """
    names: dict[str, str | None] = {
        "labels": labels,
        "logits": logits,
        "probabilities": probabilities,
        "weights": weights,
        "groups": groups,
    }
    arrays, said = _read_files(names) if file is None else _read_archive(file, names)
    load_backend()
    import ls_keras

    given = "logits" if "logits" in arrays else "probabilities"
    words = arrays.get("class_names")
    try:
        found = ls_keras.diagnose(
            arrays["labels"],
            arrays[given],
            from_logits=given == "logits",
            sample_weight=arrays.get("weights"),
            groups=arrays.get("groups"),
            ignore_class=list(ignore_class) or None,
            class_names=None if words is None else words.tolist(),
            num_bins=bins,
            seed=seed,
        )
    except InputError as error:
        left_out = "; --ignore-class, or weights of 0, leave examples out" * ("NaN" in str(error))
        raise InputError(f"{_of_options(str(error))} ({said}{left_out})") from error
    found.save(output)
    if as_json:
        options.echo_json(found.to_dict())
        return
    click.echo(found)
    tables.echo_saved(output)


def _read_archive(file: Path, names: dict[str, str | None]) -> tuple[dict[str, "np.ndarray"], str]:
    """Returns the arrays of an `.npz` file by role, and where each is from."""
    from ls_base.npz import ArraySpec, npz_names, read_npz

    if file.suffix == ".npy":
        raise InputError(
            f"Expected an .npz file; of .npy files, --labels FILE with --logits FILE or "
            f"--probabilities FILE. Received: {file}"
        )
    there = npz_names(file, error=InputError)
    keys = {role: key for role, key in names.items() if key is not None}
    for role, key in keys.items():
        if key not in there:
            raise InputError(
                f"Expected the name of an array in {file} after --{role}. "
                f"Received: {key!r}; it has {_listed(there)}"
            )
    if "labels" not in keys:
        keys["labels"] = _only(_LABELS, there, "labels", "--labels KEY", file)
    if not keys.keys() & set(_PREDICTIONS):
        option = "--logits KEY or --probabilities KEY"
        found = _only(_PREDICTIONS, there, "predictions", option, file)
        keys[found] = found
    _check_predictions(keys)
    if "class_names" in there:
        keys["class_names"] = "class_names"
    wanted = {key: ArraySpec(_kinds(role)) for role, key in keys.items()}
    read = read_npz(file, wanted, error=InputError)
    return {role: read[key] for role, key in keys.items()}, _said(keys, str(file))


def _read_files(names: dict[str, str | None]) -> tuple[dict[str, "np.ndarray"], str]:
    """Returns the arrays of `.npy` files by role, and where each is from."""
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
    return read, _said(paths, None)


def _only(known: tuple[str, ...], there: list[str], what: str, option: str, file: Path) -> str:
    """Returns the one name of an array that is known, or raises an InputError."""
    found = [name for name in known if name in there]
    if len(found) == 1:
        return found[0]
    raise InputError(
        f"Expected one array of {what} in {file}, named {' or '.join(known)}; {option} names "
        f"another. Received: {_listed(found or there)}"
    )


def _check_predictions(keys: dict[str, Any]) -> None:
    if set(_PREDICTIONS) <= keys.keys():
        raise InputError("Expected --logits or --probabilities. Received: both")


def _kinds(role: str) -> str:
    return {"class_names": "U", "groups": "iu"}.get(role, "biuf")


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:12]) or "no arrays"
    return shown + f" and {len(names) - 12} more" * (len(names) > 12)


def _said(keys: dict[str, str], file: str | None) -> str:
    """Returns the end of an error: which array is what, and that options choose."""
    parts = ", ".join(f"{role} from {key}" for role, key in keys.items())
    return parts if file is None else f"{parts} in {file}; options choose others"


def _of_options(message: str) -> str:
    """Returns a message of the library in words of the command line."""
    for argument, option in _OF_ARGUMENTS.items():
        message = message.replace(argument, option)
    return message
