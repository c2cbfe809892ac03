"""A Keras model that trains a student with a teacher and predicts with the student."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from ls_base.errors import InputError
from ls_keras.backend import keras_internals
from ls_keras.backend.tensors import in_shape_inference, mask_of, reduce_losses
from ls_keras.distillation.logits_files import TopLogits, expand
from ls_keras.distillation.loss import Objective, losses_and_valid
from ls_keras.distillation.student_teacher import SharedView, check_models
from ls_keras.inputs.targets import IgnoreClass, stored_ignore_class
from ls_keras.inputs.validation import as_flag
from ls_keras.losses.classification_loss import ClassificationLoss
from ls_keras.losses.smoothings import get_smoothing

TEACHER_LOGITS = "teacher_logits"
TEACHER_CLASSES, TEACHER_REST = "teacher_classes", "teacher_rest"
_TEACHER_INPUTS = (TEACHER_LOGITS, TEACHER_CLASSES, TEACHER_REST)


@keras.saving.register_keras_serializable(package="ls_keras")
class Distiller(keras.Model):
    """Trains a student on labels and a teacher's logits, with `compile` and `fit`.

    The loss is `distillation_loss` with masks, sample weights and reductions as in `SmoothedCE`;
    metrics receive the student's logits. The teacher runs in the same graph in inference mode
    (without dropout or updates of moving averages) and is frozen: `teacher.trainable` is set to
    false. Outside of training, the distiller returns the output of the student.

    Without a teacher, pass its logits as inputs: `x` is a pair `(inputs, teacher logits)`, or a
    dictionary of inputs with the logits as `"teacher_logits"`; `TeacherLogits` stores them on disk.
    For the k largest logits, a dictionary may have the results of `TeacherLogits.gather_top` as
    `"teacher_logits"`, `"teacher_classes"` and `"teacher_rest"`; the other classes are then filled
    in on the device.

    `save` and `export` write the student alone, so `ModelCheckpoint` stores a model ready for use.
    `save_weights` includes the teacher, as continuing `fit` requires; use
    `distiller.student.save_weights` for the weights of the student.

    Args:
        student: A model with outputs logits `(..., K)`.
        teacher: A built model with the same inputs and classes. `None` (default): stored logits.
        beta: Weight β of the teacher, in [0, 1]; see `distillation_loss`. Default: 1.
        teacher_temperature: T > 0. Default: 1.
        student_temperature: T_s > 0. Default: 1.
        alpha: Smoothing α of the labels, in [0, 1]. Default: 0.
        smoothing: See `SmoothedCE`. Default: `"uniform"`.
        label_loss: Loss of the labels instead of smoothed cross-entropy, such as
            `FocalCE(from_logits=True)`, with the `ignore_class` of the distiller; excludes `alpha`
            and `smoothing`. Default: `None`.
        loss: `"cross-entropy"`, or `"squared-logits"`, which needs all logits of the teacher.
            Default: `"cross-entropy"`.
        scale_by_temperature: Whether to multiply the teacher's term by T · T_s. Default: `False`.
        ignore_class: A label id, or several, whose positions do not count. Default: `None`.
        from_logits: Whether student and teacher return logits. Needed for models whose layers do
            not show this (subclasses of `Model`, custom layers, `Lambda`), which raise an error
            otherwise; models that end in a softmax always do. Default: `False`, as in Keras.
        teacher_view: Name of a layer of the student, such as its augmentation, whose output the
            teacher receives in training, so that both see the same random view. For models with one
            input, it replaces the input of the teacher; otherwise, it replaces the output of
            the teacher's layer of this name. The student must be functional. Default: `None`.
        reduction: A reduction of Keras's losses. Default: `"sum_over_batch_size"`.

    Raises:
        InputError: If an option is out of range, student and teacher share weights or differ in
            classes, one of them may end in a softmax, `teacher_view` is not a layer of the
            student, or a student without a teacher model augments its inputs at random.

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
        # Autocast would convert stored 16-bit logits to the dtype of the policy.
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
        check_models(student, teacher, self.from_logits)
        if teacher is not None:
            teacher.trainable = False
        self.student = student
        self.teacher: Any = teacher
        self.teacher_view, self.reduction = teacher_view, reduction
        self._view = None
        if teacher_view is not None:
            self._view = SharedView(student, teacher, teacher_view)
        self.built = student.built

    def compile(self, optimizer="rmsprop", loss=None, **kwargs):
        """Configures training.

        Args:
            optimizer: See `keras.Model.compile`.
            loss: Must be `None`; the distiller has its own loss.
            **kwargs: See `keras.Model.compile`; metrics receive the student's logits.
        """
        if loss is not None:
            raise InputError(
                "Expected compile without a loss, which beta, alpha and loss of the Distiller "
                f"define. Received: loss={loss!r}"
            )
        super().compile(optimizer=optimizer, loss=None, **kwargs)

    def compile_from_config(self, config: dict):
        """Compiles with a saved configuration; see `keras.Model.compile_from_config`."""
        # Keras's implementation does nothing if compile is overridden.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def call(self, inputs, training=False):
        """Returns the student's logits; in training, also the teacher's logits of the same view."""
        inputs, z_teacher = self._split(inputs)
        if not training:
            return self.student(inputs, training=False)
        if self._view is not None:
            z, z_teacher = self._view(inputs)
        else:
            z = self.student(inputs, training=True)
            if z_teacher is None:
                z_teacher = self.teacher(inputs, training=False)
        z_teacher = _expand_classes(z_teacher, z)
        return {"logits": z, TEACHER_LOGITS: ops.stop_gradient(z_teacher)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Computes the reduced loss, including additional losses of the student."""
        z = _student_logits(y_pred)
        if isinstance(y_pred, Mapping):
            z_teacher = y_pred[TEACHER_LOGITS]
        else:
            inputs, z_teacher = self._split(x)
            if z_teacher is None:
                z_teacher = self.teacher(inputs, training=False)
            z_teacher = _expand_classes(z_teacher, z)
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
        if self.losses:  # Keras sums only these, because compile has no loss
            total = total + super().compute_loss(x, y, z, None, training)
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Updates the metrics with the student's logits."""
        return super().compute_metrics(x, y, _student_logits(y_pred), sample_weight)

    @property
    def losses(self):
        """Additional losses of the student, without those of the teacher."""
        return keras_internals.collected_losses(self) or self.student.losses

    def save(self, filepath, overwrite=True, **kwargs):
        """Saves the student; see `keras.Model.save`."""
        self.student.save(filepath, overwrite=overwrite, **kwargs)

    def export(self, filepath, **kwargs):
        """Exports the student; see `keras.Model.export`."""
        self.student.export(filepath, **kwargs)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor for JSON."""
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
        """Creates a distiller with new weights from `get_config()`."""
        config = dict(config)
        for key in ("student", "teacher", "dtype", "label_loss"):
            config[key] = keras.saving.deserialize_keras_object(config[key], custom_objects)
        return cls(**config)

    def _split(self, x) -> tuple[Any, Any]:
        """Returns the inputs, and the teacher's logits if they are among the inputs."""
        if self.teacher is not None:
            return x, None
        if isinstance(x, Mapping) and TEACHER_LOGITS in x:
            found = x[TEACHER_LOGITS]
            if TEACHER_CLASSES in x:
                if self.objective.loss == "squared-logits":
                    raise InputError(
                        "Expected all logits of the teacher for loss='squared-logits'. "
                        "Received: log-probabilities of the k largest"
                    )
                found = TopLogits(found, x[TEACHER_CLASSES], x[TEACHER_REST])
            return {k: v for k, v in x.items() if k not in _TEACHER_INPUTS}, found
        if isinstance(x, tuple | list) and len(x) == 2:
            return x[0], x[1]
        raise InputError(
            "Expected x = (inputs, teacher logits), or a dict with 'teacher_logits', for a "
            "Distiller without a teacher (to predict, use distiller.student). "
            f"Received: {sorted(x) if isinstance(x, Mapping) else type(x).__name__}"
        )


def _expand_classes(z_teacher, z):
    return expand(z_teacher, z.shape[-1]) if isinstance(z_teacher, TopLogits) else z_teacher


def _student_logits(y_pred):
    return y_pred["logits"] if isinstance(y_pred, Mapping) else y_pred
