"""Defines the layers of the code base and the order in which they may import one another.

`tests/test_architecture.py` checks imports and the table in `docs/architecture.md` against it.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Room:
    """A folder or module inside a floor; it may import only the rooms before it.

    Attributes:
        name: Name of the folder or module, without `.py`.
        what: Purpose, in one line.
        beside: An earlier room at the same height: neither imports the other.
    """

    name: str
    what: str
    beside: str | None = None


@dataclasses.dataclass(frozen=True)
class Floor:
    """An import package, or a folder of several; it may import only the floors before it.

    Attributes:
        name: Display name.
        folder: Path from the root of the repository.
        what: Purpose, in one line.
        rooms: Ordered contents; empty if their order is not checked.
        beside: The name of an earlier floor at the same height: neither imports the other.
    """

    name: str
    folder: str
    what: str
    rooms: tuple[Room, ...] = ()
    beside: str | None = None


GROUND = Floor(
    name="ground",
    folder="ls_base",
    what="Errors, atomic files, the version; does not import Keras",
)

LIBRARY = Floor(
    name="library",
    folder="ls_keras",
    what="Label smoothing for any Keras program; independent of runs and tasks",
    rooms=(
        Room("errors", "public names of the errors"),
        Room("backend", "what depends on Keras internals or one framework"),
        Room("inputs", "reading labels, predictions, weights, batches"),
        Room("losses", "smoothed cross-entropy, its smoothings and neighbors"),
        Room("layers", "temperature, scaling, tied and fused logits"),
        Room("metrics", "Keras metrics: ECE, NLL, Brier, accuracy"),
        Room("calibration", "reliability curves, recalibration, ranking"),
        Room("decoding", "greedy and beam search"),
        Room("distillation", "teachers, students, γ"),
        Room("representation", "projections, clusters of activations"),
        Room("information", "mutual information"),
        Room("plots", "figures, as Matplotlib objects"),
        Room("diagnosis", "one report about a model's predictions"),
        Room("callbacks", "measurements during training"),
    ),
)

ENGINE = Floor(
    name="engine",
    folder="engine/lsk_engine",
    what="Trains, stores, scores and compares runs of any task",
    rooms=(
        Room("progress", "progress lines and log"),
        Room("environment", "versions, machine, command, time"),
        Room("settings", "settings of a run and their defaults"),
        Room("tasks", "task contract, discovery of plugins"),
        Room("devices", "backend, strategies, precision, XLA"),
        Room("data", "batches, prepared data, TFDS, teachers' logits"),
        Room("runs", "run directory, lock, checkpoints"),
        Room("training", "from data to a saved model"),
        Room("scoring", "evaluation of finished runs", beside="training"),
        Room("experiment", "load, train, evaluate"),
        Room("conformance", "tests of the task contract for plugins"),
        Room("studies", "many runs, claims and verdicts"),
        Room("reports", "HTML page about runs"),
        Room("keras_model", "a user's own Keras model as a task"),
    ),
)

PLUGINS = Floor(
    name="plugins",
    folder="plugins",
    what="One task each, with the same file names; plugins do not import one another",
)

COMMAND_LINE = Floor(
    name="command line",
    folder="cli/lsk",
    what="One file per command; only this folder and the plugins' commands.py use Click",
    beside="plugins",
)

FLOORS = (GROUND, LIBRARY, ENGINE, PLUGINS, COMMAND_LINE)
