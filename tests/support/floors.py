"""The floors of the house, from the ground up: what stands on what.

THE list. `tests/test_architecture.py` holds the imports to it, `docs/architecture.md` draws its
picture from it. Nothing is imported here: the list says how it should be, not how it is.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Room:
    """A folder or module inside a floor; it imports those before it in the list, none after it.

    Attributes:
        name: The folder's or module's name, without `.py`.
        what: What it is, in a line.
        beside: An earlier room at the same height: neither imports the other.
    """

    name: str
    what: str
    beside: str | None = None


@dataclasses.dataclass(frozen=True)
class Floor:
    """An import package, or the folder of several; it imports those before it, none after it.

    Attributes:
        name: What people call it.
        folder: Where it is, from the root of the repository.
        what: What it is, in a line.
        rooms: What is inside, from the ground up; empty where that is nobody's business.
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
    what="Errors, files that are whole or not there, the version; free of Keras",
)

LIBRARY = Floor(
    name="library",
    folder="ls_keras",
    what="Label smoothing in any Keras program; knows no run, no task, no file layout",
    rooms=(
        Room("errors", "the errors, by the library's name"),
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
        Room("diagnosis", "one report: is the model all right?"),
        Room("callbacks", "all of it while a model trains"),
    ),
)

ENGINE = Floor(
    name="engine",
    folder="engine/lsk_engine",
    what="Trains, keeps, scores and studies runs of any task",
    rooms=(
        Room("progress", "what a person sees of long work"),
        Room("environment", "versions, machine, command, time"),
        Room("settings", "what a run is told, and its defaults"),
        Room("tasks", "the contract, and finding plugins"),
        Room("devices", "backend, strategies, precision, XLA"),
        Room("data", "batches, prepared data, TFDS, teachers' logits"),
        Room("runs", "run directory, lock, checkpoints"),
        Room("training", "from data to a saved model"),
        Room("scoring", "work on finished runs", beside="training"),
        Room("experiment", "the story: load, train, evaluate"),
        Room("conformance", "the tests that hold a task to the contract"),
        Room("studies", "many runs and one answer"),
        Room("reports", "one page about runs, for people"),
        Room("keras_model", "a user's own Keras model as a task"),
    ),
)

PLUGINS = Floor(
    name="plugins",
    folder="plugins",
    what="One task each, the same file names in each; none knows another",
)

COMMAND_LINE = Floor(
    name="command line",
    folder="cli/lsk",
    what="One file a command; Click lives here and in the plugins' commands.py",
    beside="plugins",
)

FLOORS = (GROUND, LIBRARY, ENGINE, PLUGINS, COMMAND_LINE)
