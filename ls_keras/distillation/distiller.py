"""A Keras model that trains a student under a teacher, and is its student afterwards."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from ls_keras.backend import keras_internals
from ls_keras.backend.tensors import in_shape_inference, mask_of, reduce_losses
from ls_keras.distillation.loss import Objective, losses_and_valid
from ls_keras.distillation.shared_augmentation import SharedView
from ls_keras.distillation.top_logits import TopLogits, expand
from ls_keras.errors import InputError, shown
from ls_keras.inputs.output_activation import OTHER, SIGMOID, SOFTMAX, UNKNOWN, model_output
from ls_keras.inputs.targets import IgnoreClass, stored_ignore_class
from ls_keras.inputs.validation import as_flag
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.smoothings import get_smoothing

TEACHER_LOGITS = "teacher_logits"
TEACHER_CLASSES, TEACHER_REST = "teacher_classes", "teacher_rest"
_OF_TEACHER = (TEACHER_LOGITS, TEACHER_CLASSES, TEACHER_REST)
# How layers are called that change images at random in training.
_RANDOM = ("Random", "Augment", "AugMix", "CutMix", "MixUp")


@keras.saving.register_keras_serializable(package="ls_keras")
class Distiller(keras.Model):
    """Trains a student on labels and a teacher's logits, with `compile` and `fit`.

    The loss is `distillation_loss`, wired to Keras's masks, sample weights and reductions as in
    `SmoothedCE`; metrics see the student's logits. The teacher runs in the same graph, in inference
    mode (no dropout, no update of moving averages) and is frozen: `teacher.trainable` becomes
    false. Called outside of training, the distiller is its student.

    Without a teacher, its logits come with the inputs: `x` is a pair `(inputs, teacher logits)`, or
    a dict of inputs with the logits as `"teacher_logits"`; `TeacherLogits` keeps such on disk. Of
    the k largest, a dict may have the parts that `TeacherLogits.gather_top` returns, as
    `"teacher_logits"`, `"teacher_classes"` and `"teacher_rest"`: all classes then are filled in on
    the device.

    `save` and `export` write the student alone, so a `ModelCheckpoint` holds a model to be used.
    `save_weights` writes all that `fit` needs to go on, the teacher included; for the student's
    weights there is `distiller.student.save_weights`.

    Args:
        student: A model `x → logits (..., K)`.
        teacher: A built model of the same inputs and classes; `None`: see above.
        beta: See `distillation_loss`, as the others. Default: 1.
        teacher_temperature: T. Default: 1.
        student_temperature: T_s. Default: 1.
        alpha: Smoothing of the labels. Default: 0.
        smoothing: See `SmoothedCE`. Default: `"uniform"`.
        label_loss: Loss of the labels in place of smoothed cross-entropy, such as
            `FocalCE(from_logits=True)`, with the `ignore_class` of the distiller; excludes `alpha`
            and `smoothing`. Default: `None`.
        loss: `"cross-entropy"` or `"squared-logits"`, for which the k largest are not enough.
            Default: `"cross-entropy"`.
        scale_by_temperature: Whether to multiply the teacher's term by T · T_s. Default: `False`.
        ignore_class: A label id, or several, whose positions do not count. Default: `None`.
        from_logits: Whether student and teacher emit logits, where their graphs of layers don't
            tell: subclasses of `Model`, layers of one's own, a `Lambda`. Default: `False`, as in
            Keras; such models are refused then, as those are whose graph shows a softmax.
        teacher_view: The name of a layer of the student, such as its augmentation, whose output
            the teacher gets in training: both see the same random view. It takes the place of the
            teacher's input where there is one input; of several, that of the output of the
            teacher's layer of this name. The student must be functional. Default: `None`, the
            input itself.
        reduction: As in Keras's losses. Default: `"sum_over_batch_size"`.

    Raises:
        InputError: If an option is out of range, if student and teacher share weights or differ in
            classes, if one ends in a softmax or may do so, if `teacher_view` is no layer of the
            student or, without a teacher, if the student augments its inputs at random.

    Example:
    ```python
    >>> import keras, numpy as np
    >>> import ls_keras
    >>> student, teacher = (
    ...     keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]) for _ in range(2)
    ... )
    >>> distiller = ls_keras.Distiller(student, teacher, beta=0.9, teacher_temperature=2.0)
    >>> distiller.compile("sgd", metrics=[ls_keras.Accuracy(from_logits=True)])
    >>> history = distiller.fit(np.ones((8, 4)), np.zeros(8, "int32"), verbose=0)
    >>> sorted(history.history)
    ['accuracy', 'loss']

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 4;
        [Hinton et al., 2015](https://arxiv.org/abs/1503.02531).
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model | None = None,
        *,
        beta: float = 1.0,
        teacher_temperature: float = 1.0,
        student_temperature: float = 1.0,
        alpha: float = 0.0,
        smoothing="uniform",
        label_loss: ClassificationLoss | None = None,
        loss: str = "cross-entropy",
        scale_by_temperature: bool = False,
        ignore_class: IgnoreClass = None,
        from_logits: bool = False,
        teacher_view: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "distiller",
        **kwargs,
    ):
        # No autocast: cached logits of 16 bits would lose half of them under another policy.
        super().__init__(name=name, autocast=False, **kwargs)
        self.objective = Objective(
            beta=beta,
            teacher_temperature=teacher_temperature,
            student_temperature=student_temperature,
            alpha=alpha,
            smoothing=get_smoothing(smoothing),
            label_loss=label_loss,
            loss=loss,
            scale_by_temperature=scale_by_temperature,
            ignore_class=ignore_class,
        )
        self.from_logits = as_flag(from_logits, "from_logits")
        self._checked = False  # whether student and teacher were checked to give logits
        _check_logits(student, "student", self.from_logits)
        if teacher is None:
            _check_no_augmentation(student)
        else:
            _check_pair(student, teacher)
            _check_logits(teacher, "teacher", self.from_logits)
            teacher.trainable = False
        self.student = student
        self.teacher: Any = teacher
        self.teacher_view, self.reduction = teacher_view, reduction
        self._view = None
        if teacher_view is not None:
            self._view = SharedView(student, teacher, teacher_view)
        self.built = student.built

    def compile(self, optimizer="rmsprop", loss=None, **kwargs):
        """Configures training; the loss is the distiller's own.

        Args:
            optimizer: As in Keras.
            loss: Must be `None`.
            **kwargs: As in Keras; metrics get the student's logits.
        """
        if loss is not None:
            raise InputError(
                "Expected compile without a loss: beta, alpha and loss of the Distiller say what "
                f"it is. Received: loss={loss!r}"
            )
        super().compile(optimizer=optimizer, loss=None, **kwargs)

    def compile_from_config(self, config: dict):
        """Compiles as `compile` was called before saving; see `keras.Model.compile_from_config`."""
        # Keras's own does nothing where compile is overridden.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def call(self, inputs, training=False):
        """Returns the student's logits; in training the teacher's as well, of the same view."""
        inputs, z_teacher = self._split(inputs)
        if not training:
            return self.student(inputs, training=False)
        if self._view is not None:
            z, z_teacher = self._view(inputs)
        else:
            z = self.student(inputs, training=True)
            if z_teacher is None:
                z_teacher = self.teacher(inputs, training=False)
        z_teacher = _of_all_classes(z_teacher, z)
        return {"logits": z, TEACHER_LOGITS: ops.stop_gradient(z_teacher)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Computes the reduced loss, with the student's own additional losses."""
        z = _student_logits(y_pred)
        if isinstance(y_pred, Mapping):
            z_teacher = y_pred[TEACHER_LOGITS]
        else:
            inputs, z_teacher = self._split(x)
            if z_teacher is None:
                z_teacher = self.teacher(inputs, training=False)
            z_teacher = _of_all_classes(z_teacher, z)
        mask = mask_of(z)
        losses, valid = losses_and_valid(
            y, z, z_teacher, self.objective, mask, sample_weight, check=not self._checked
        )
        self._checked = not in_shape_inference()
        if mask is not None and valid is not None:
            mask = ops.logical_and(mask, valid)
        total = reduce_losses(
            losses,
            sample_weight=sample_weight,
            mask=valid if mask is None else mask,
            reduction=self.reduction,
        )
        if self.losses:  # Keras's own sum, of these alone: the model was compiled without a loss
            total = total + super().compute_loss(x, y, z, None, training)
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Updates the metrics with the student's logits."""
        return super().compute_metrics(x, y, _student_logits(y_pred), sample_weight)

    @property
    def losses(self):
        """The student's additional losses; the teacher's are nobody's."""
        return keras_internals.collected_losses(self) or self.student.losses

    def save(self, filepath, overwrite=True, **kwargs):
        """Saves the student; see `keras.Model.save`."""
        self.student.save(filepath, overwrite=overwrite, **kwargs)

    def export(self, filepath, **kwargs):
        """Exports the student; see `keras.Model.export`."""
        self.student.export(filepath, **kwargs)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, as JSON holds them."""
        objective = vars(self.objective)
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "student": keras.saving.serialize_keras_object(self.student),
            "teacher": keras.saving.serialize_keras_object(self.teacher),
            **objective,
            "smoothing": keras.saving.serialize_keras_object(self.objective.smoothing),
            "label_loss": keras.saving.serialize_keras_object(self.objective.label_loss),
            "ignore_class": stored_ignore_class(self.objective.ignore_class),
            "from_logits": self.from_logits,
            "teacher_view": self.teacher_view,
            "reduction": self.reduction,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None):
        """Makes the distiller from `get_config()`; weights are new."""
        config = dict(config)
        for key in ("student", "teacher", "dtype", "label_loss"):
            config[key] = keras.saving.deserialize_keras_object(config[key], custom_objects)
        return cls(**config)

    def _split(self, x) -> tuple[Any, Any]:
        """Returns the inputs, and the teacher's logits where they came along."""
        if self.teacher is not None:
            return x, None
        if isinstance(x, Mapping) and TEACHER_LOGITS in x:
            found = x[TEACHER_LOGITS]
            if TEACHER_CLASSES in x:
                if self.objective.loss == "squared-logits":
                    raise InputError(
                        "Expected all logits of the teacher for loss='squared-logits'. Received: "
                        "the k largest, which are kept as log-probabilities"
                    )
                found = TopLogits(found, x[TEACHER_CLASSES], x[TEACHER_REST])
            return {k: v for k, v in x.items() if k not in _OF_TEACHER}, found
        if isinstance(x, tuple | list) and len(x) == 2:
            return x[0], x[1]
        raise InputError(
            "Expected x = (inputs, teacher logits), or a dict with 'teacher_logits', for a "
            "Distiller without a teacher (to predict, use distiller.student). "
            f"Received: {sorted(x) if isinstance(x, Mapping) else type(x).__name__}"
        )


def _of_all_classes(z_teacher, z):
    return expand(z_teacher, z.shape[-1]) if isinstance(z_teacher, TopLogits) else z_teacher


def _student_logits(y_pred):
    return y_pred["logits"] if isinstance(y_pred, Mapping) else y_pred


def _check_logits(model: keras.Model, role: str, from_logits: bool) -> None:
    """Refuses a model that can be seen to make probabilities, or to make no one knows what."""
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a {role} that is a keras.Model. Received: {shown(model)}")
    number, found = len(getattr(model, "outputs", None) or [None]), model_output(model)
    if number > 1 or found.kind in (SOFTMAX, SIGMOID, OTHER):
        received = f"{number} outputs, the first" if number > 1 else "an output"
        raise InputError(
            f"Expected a {role} with one output, logits: no softmax at its end. "
            f"Received: {model.name!r} with {received} of {found.made_by}"
        )
    if found.kind == UNKNOWN and not from_logits:
        raise InputError(
            f"Expected a {role} whose layers show that it emits logits, or from_logits=True, which "
            f"says so. Received: {model.name!r} with an output of {found.made_by}"
        )


def _check_pair(student: keras.Model, teacher: keras.Model) -> None:
    if not isinstance(teacher, keras.Model):
        raise InputError(f"Expected a teacher that is a keras.Model. Received: {shown(teacher)}")
    if not teacher.built:
        raise InputError(
            "Expected a built teacher, with the weights it was trained to. "
            f"Received: {teacher.name!r}, not built"
        )
    if {id(v) for v in student.variables} & {id(v) for v in teacher.variables}:
        raise InputError(
            "Expected a teacher that shares no weights with its student: they would be frozen. "
            f"Received: {teacher.name!r} and {student.name!r}"
        )
    shapes = [m.outputs[0].shape for m in (student, teacher) if getattr(m, "outputs", None)]
    if len(shapes) == 2 and shapes[0][-1] != shapes[1][-1]:
        raise InputError(
            "Expected student and teacher of the same classes. "
            f"Received: {shapes[0][-1]} of the student, {shapes[1][-1]} of the teacher"
        )


def _check_no_augmentation(student: keras.Model) -> None:
    for layer in keras_internals.layers_within(student):
        if type(layer).__name__.startswith(_RANDOM):
            raise InputError(
                "Expected a student without random augmentation: logits that were computed once "
                "are of other inputs than those it sees. Give the Distiller the teacher itself. "
                f"Received: {student.name!r} with the layer {layer.name!r}"
            )
