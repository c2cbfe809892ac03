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
        Room("keras_internals", "what Keras has, but promises nobody"),
        Room("concrete", "whether a value can be looked at now"),
        Room("arguments", "what every door asks: numbers, counts, choices"),
        Room("one_line", "how objects show themselves"),
        Room("caller", "the line that called the library, for warnings"),
        Room("as_written", "what TensorFlow traces as it is, and does not rewrite"),
        Room("keywords", "keywords that a function doesn't take"),
        Room("batches", "data as Keras takes them, batch by batch"),
        Room("names", "finding losses and metrics by name"),
        Room("traced_graphs", "what made a tensor of a compiled step"),
        Room("said_logits", "telling what is said to be logits, and is not"),
        Room("model_output", "whether a model gives logits, or a softmax"),
        Room("packed_targets", "targets that bring a number each"),
        Room("targets", "reading labels, masks and weights"),
        Room("binary_targets", "reading the labels of sigmoids"),
        Room("losses", "smoothed cross-entropy, its smoothings and neighbors"),
        Room("layers", "temperature, scaling, tied and fused logits"),
        Room("calibration", "metrics, reliability, temperature fits"),
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
        Room("data", "batches, prepared data, TFDS, teachers' logits"),
        Room("devices", "backend, strategies, precision, XLA"),
        Room("runs", "run directory, lock, checkpoints"),
        Room("assembly", "what training and scoring share"),
        Room("training", "from data to a saved model"),
        Room("scoring", "work on finished runs", beside="training"),
        Room("experiment", "the story: load, train, evaluate"),
        Room("conformance", "the tests that hold a task to the contract"),
        Room("studies", "many runs and one answer"),
        Room("reports", "one page about runs, for people"),
        Room("own_model", "a function and arrays in place of a task"),
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
