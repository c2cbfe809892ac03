"""Callback that draws projections during training, as in Figure 1 of the paper."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from ls_base.brief_repr import brief_repr
from ls_base.errors import InputError
from ls_keras.backend.keras_internals import sync_state
from ls_keras.callbacks.probe_callback import NotFiniteError, ProbeCallback
from ls_keras.inputs.batches import Batches, as_batches
from ls_keras.inputs.model_outputs import Output, of_head
from ls_keras.inputs.targets import IgnoreClass, ignored_ids
from ls_keras.inputs.validation import as_count, as_counts, as_names, as_path, as_seed
from ls_keras.plots import projection_panels, save_plot
from ls_keras.plots.plot_inputs import check_strings
from ls_keras.representation import Projection, penultimate, template_plane, templates
from ls_keras.representation.projection import ProjectionSampler
from ls_keras.representation.template_distances import check_classes


class ProjectionPlotter(ProbeCallback):
    """Draws the penultimate activations of three classes at the end of epochs.

    Writes `projection-EPOCH.png` and `.svg` to the directory, with the coordinates as `.csv` and
    `.json`. The plane is that of the current templates, so its axes rotate from epoch to epoch.

    If templates or activations are not finite, or the templates lie on a line, nothing is drawn and
    training continues with one warning.

    Args:
        data: `(x, y)` arrays, or batches of them: a `tf.data.Dataset`, a `keras.utils.PyDataset`,
            a PyTorch `DataLoader` or a list; or a dictionary of these by the title of their panel,
            such as `{"train": (x, y), "validation": dataset}`. The model runs over all of it. x
            may be any structure of arrays that the model accepts, y a structure of labels for each
            output. Sample weights are ignored.
        classes: Three different classes.
        every: Draws at the end of every `every`-th epoch and of the last. Default: 1.
        directory: Folder of the figures; created if missing. Default: `"projections"`.
        per_class: Examples of each class. Default: 100.
        class_names: Names of all K classes. Default: their numbers.
        ignore_class: A label id, or several, that do not count, such as padding.
        batch_size: Batch size for arrays. Default: 256.
        seed: Seed of the sample, which is the same in each epoch. Default: 0.
        output: For models with several outputs, which head to draw; see `penultimate`.

    Attributes:
        projections: The latest projections by panel.
        files: The written figures, in order.

    Raises:
        InputError: If an argument is wrong; in training, if the model has no templates or a class
            has no example.

    Warns:
        UserWarning: Once in each training, if nothing can be drawn because the model diverged.

    Example:
        >>> import keras, numpy as np
        >>> from ls_keras.callbacks import ProjectionPlotter
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="logits")])
        >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> x, y = np.eye(4)[np.arange(12) % 3], np.arange(12) % 3
        >>> plotter = ProjectionPlotter((x, y), (0, 1, 2), every=5, directory="figures")
        >>> history = model.fit(x, y, epochs=2, callbacks=[plotter], verbose=0)
        >>> [file.name for file in plotter.files]
        ['projection-0002.png']
    """

    def __init__(
        self,
        data,
        classes: Sequence[int],
        every: int = 1,
        directory: str | os.PathLike = "projections",
        *,
        per_class: int = 100,
        class_names: Sequence[str] | None = None,
        ignore_class: IgnoreClass = None,
        batch_size: int = 256,
        seed: int = 0,
        output: Output = None,
    ):
        super().__init__()
        every = as_count(every, "every", 1)
        per_class, seed = as_count(per_class, "per_class", 1), as_seed(seed)
        ignored_ids(ignore_class)
        classes = as_counts(classes, "classes")
        if len(classes) != 3 or len(set(classes)) != 3:
            raise InputError(f"Expected three different classes. Received: {classes}")
        if class_names is not None:
            class_names = as_names(class_names, "class_names", max(classes) + 1)
        directory = as_path(directory, "directory")
        self.panels = _panels(data, batch_size)
        self.classes, self.every, self.directory = classes, every, directory
        self.per_class, self.class_names = per_class, class_names
        self.ignore_class, self.seed = ignore_class, seed
        self.projections: dict[str, Projection] = {}
        self.files: list[Path] = []
        self.output = output
        self._half: keras.Model | None = None

    def __repr__(self) -> str:
        return brief_repr(
            self, data=self.panels, classes=self.classes, every=self.every, files=len(self.files)
        )

    def set_model(self, model):
        """Sets the model."""
        super().set_model(model)
        self._half = None

    def on_train_begin(self, logs=None):
        """Checks that the model has templates, long before the first figure may be due."""
        super().on_train_begin(logs)
        if self.model.built:
            w = templates(self.model, output=self.output)
            check_classes(self.classes, int(w.shape[1]))

    def on_epoch_end(self, epoch, logs=None):
        """Projects, draws and saves if the epoch is due."""
        if (epoch + 1) % self.every and epoch + 1 != (self.params or {}).get("epochs"):
            return
        try:
            self.projections = self.project()
        except NotFiniteError as error:
            self.warn_skipped("draws nothing", f"in epoch {epoch + 1}", error)
            return
        file = self.directory / f"projection-{epoch + 1:04d}.png"
        save_plot(projection_panels, self.projections, file, title=f"Epoch {epoch + 1}")
        self.files.append(file)

    def project(self) -> dict[str, Projection]:
        """Returns the projections by panel for the current weights.

        Raises:
            InputError: If the model has no templates, they do not span a plane, a class has no
                example, or values are not finite.
        """
        sync_state(self.model)
        half = self._half = self._half or penultimate(self.model, output=self.output)
        w = templates(self.model, output=self.output)
        check_classes(self.classes, int(w.shape[1]))
        try:
            plane = template_plane(w, self.classes)
        except InputError as error:  # of the weights, because the classes were checked
            raise NotFiniteError(str(error)) from error
        found = {}
        for name, panel in self.panels.items():
            sampler = ProjectionSampler(
                plane, int(w.shape[1]), per_class=self.per_class, seed=self.seed
            )
            for x, y, _ in panel:
                y = of_head(y, self.output, getattr(self.model, "output_names", ()))
                self._add(sampler, y, half.predict_on_batch(x))
            found[name] = sampler.result(self.class_names)
        return found

    def _add(self, sampler: ProjectionSampler, y, activations) -> None:
        try:
            sampler.update(y, activations, ignore_class=self.ignore_class)
        except InputError as error:
            # Wrong labels raise an error for zeros, too.
            zeros = np.zeros(activations.shape, np.float32)
            sampler.update(y, zeros, ignore_class=self.ignore_class)
            raise NotFiniteError(str(error)) from error


def _panels(data, batch_size: int) -> dict[str, Batches]:
    panels = data if isinstance(data, Mapping) else {"": data}
    if not panels:
        raise InputError("Expected data (x, y), or a dictionary of them by title. Received: none")
    check_strings(panels)
    return {
        title: as_batches(panel, f"data[{title!r}]" if title else "data", batch_size=batch_size)
        for title, panel in panels.items()
    }
