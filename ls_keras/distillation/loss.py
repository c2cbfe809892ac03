"""The distillation loss of a student, from labels and a teacher's logits."""

import dataclasses

import keras
import numpy as np
from keras import ops

from ls_keras.backend.autograph import no_autograph
from ls_keras.backend.tensors import as_tensor, recover_logits
from ls_keras.errors import InputError, shown
from ls_keras.inputs.logits_check import warn_if_probabilities
from ls_keras.inputs.targets import IgnoreClass, ignored_ids, nan_where_invalid, read_targets
from ls_keras.inputs.validation import as_choice, as_flag, as_number
from ls_keras.losses import Smoothing
from ls_keras.losses.alpha import refuse_alpha
from ls_keras.losses.classification_loss import ClassificationLoss, mask_losses, read_inputs
from ls_keras.losses.cross_entropy import SmoothedTargets, dense_cross_entropy
from ls_keras.losses.smoothed_ce import smoothed_ce
from ls_keras.losses.smoothings import get_smoothing

LOSSES = ("cross-entropy", "squared-logits")


@no_autograph
def distillation_loss(
    y_true,
    student_logits,
    teacher_logits,
    *,
    beta: float = 1.0,
    teacher_temperature: float = 1.0,
    student_temperature: float = 1.0,
    alpha: float = 0.0,
    smoothing="uniform",
    loss: str = "cross-entropy",
    scale_by_temperature: bool = False,
    ignore_class: IgnoreClass = None,
):
    """Computes the distillation loss of each example.

    (1 − β) H(y^LS, p) + β H(p^t(T), p(T_s)),  p(T) = softmax(z / T)

    with H(q, p) = −Σ_k q_k log p_k: cross-entropy, not KL divergence, and without a factor T². The
    first term is `smoothed_cross_entropy` at temperature 1. With `"squared-logits"`, the second
    term is β · ½ ‖z − z^t‖². The teacher gets no gradient.

    Args:
        y_true: Integer labels `(...)` or `(..., 1)`, or dense targets `(..., K)`; `None` for
            unlabeled examples, with β = 1 only.
        student_logits: z, `(..., K)`. Computed in float32 or better for any dtype.
        teacher_logits: z^t, `(..., K)`, or log-probabilities for the cross-entropy. A class may
            have a logit of −inf in both models. If only the student's is −inf, the loss is
            infinite where p^t_k > 0 (cross-entropy) or everywhere (squared logits).
        beta: The weight β of the teacher, in [0, 1]. Default: 1.
        teacher_temperature: T > 0. Default: 1.
        student_temperature: T_s > 0, in the second term only. The paper uses 1; Hinton et al.
            (2015) use T for both. Default: 1.
        alpha: Smoothing α of the labels, in [0, 1]. Default: 0.
        smoothing: See `smoothed_cross_entropy`. Default: `"uniform"`.
        loss: `"cross-entropy"` or `"squared-logits"`. Default: `"cross-entropy"`.
        scale_by_temperature: Whether to multiply the second term by T · T_s (T² if both are
            equal), which keeps the size of its gradient for higher temperatures. Default: `False`.
        ignore_class: A label id, or several, whose positions give 0, for integer labels only. The
            logits there may be anything. Default: `None`.

    Returns:
        Tensor `(...)` of float32, or float64 for such student logits: nats, or squared logits.

    Raises:
        InputError: If β or α is not in [0, 1], a temperature is not above 0, the shapes of the
            logits differ, there are no labels with β < 1, or squared logits are combined with
            temperatures; for labels, see `smoothed_cross_entropy`.

    Example:
    ```python
    >>> import ls_keras
    >>> losses = ls_keras.distillation_loss(
    ...     [0, 1], [[2.0, 0.0], [2.0, 0.0]], [[4.0, 0.0], [0.0, 4.0]], teacher_temperature=2.0
    ... )
    >>> [round(float(loss), 4) for loss in losses]
    [0.3653, 1.8885]

    ```

    References:
        [Müller et al., 2019](https://arxiv.org/abs/1906.02629), section 4;
        [Hinton et al., 2015](https://arxiv.org/abs/1503.02531), section 2.
    """
    objective = Objective(
        beta=beta,
        teacher_temperature=teacher_temperature,
        student_temperature=student_temperature,
        alpha=alpha,
        smoothing=get_smoothing(smoothing),
        loss=loss,
        scale_by_temperature=scale_by_temperature,
        ignore_class=ignore_class,
    )
    return losses_and_valid(y_true, student_logits, teacher_logits, objective)[0]


@dataclasses.dataclass(frozen=True)
class Objective:
    """The validated options of `distillation_loss`."""

    beta: float
    teacher_temperature: float
    student_temperature: float
    alpha: float
    smoothing: Smoothing
    loss: str
    scale_by_temperature: bool
    ignore_class: IgnoreClass
    label_loss: ClassificationLoss | None = None

    def __post_init__(self):
        as_number(self.beta, "beta", low=0, high=1)
        as_number(self.alpha, "alpha", low=0, high=1)
        check_temperature(self.teacher_temperature, "teacher_temperature")
        check_temperature(self.student_temperature, "student_temperature")
        ignored_ids(self.ignore_class)
        self._check_label_loss()
        as_choice(self.loss, "loss", LOSSES)
        as_flag(self.scale_by_temperature, "scale_by_temperature")
        temperatures = (self.teacher_temperature, self.student_temperature)
        if self.loss == "squared-logits" and (temperatures != (1, 1) or self.scale_by_temperature):
            raise InputError(
                "Expected temperatures of 1 without scaling for squared logits. "
                f"Received: T = {temperatures[0]}, T_s = {temperatures[1]}, "
                f"scale_by_temperature={self.scale_by_temperature}"
            )

    def _check_label_loss(self) -> None:
        loss = self.label_loss
        if loss is None:
            return
        fits = isinstance(loss, ClassificationLoss) and loss.from_logits and loss.axis == -1
        if not fits or ignored_ids(loss.ignore_class) != ignored_ids(self.ignore_class):
            raise InputError(
                "Expected label_loss to be a loss of ls_keras with from_logits=True, axis=-1 and "
                f"ignore_class={self.ignore_class}. Received: {shown(loss)}"
            )
        if self.alpha:
            raise InputError(f"Expected alpha or label_loss, not both. Received: {self.alpha}")


def check_temperature(value, name: str) -> float:
    """Returns a temperature as a float.

    Args:
        value: A real number.
        name: Name of the argument, for the message.

    Raises:
        InputError: If `value` is not a finite number above 0.
    """
    return as_number(value, name, low=0, above=True)


def losses_and_valid(
    y_true,
    student_logits,
    teacher_logits,
    objective: Objective,
    mask=None,
    sample_weight=None,
    check: bool = True,
):
    """Returns the losses `(...)` and which of them count.

    Args:
        y_true: See `distillation_loss`.
        student_logits: See `distillation_loss`.
        teacher_logits: See `distillation_loss`.
        objective: The options.
        mask: Boolean tensor `(...)` or `None`; see `ls_keras.losses.cross_entropy`.
        sample_weight: Weights `(...)`, or of its leading axes, or `None`; see
            `ls_keras.losses.cross_entropy`.
        check: Whether to warn of probabilities of student and teacher.
            `ls_keras.inputs.logits_check`.

    Returns:
        Losses, and a Boolean tensor `(...)` or `None`.
    """
    student_logits = as_tensor(student_logits, "student_logits")
    teacher_logits = as_tensor(teacher_logits, "teacher_logits")
    if check:
        for logits in (student_logits, teacher_logits):
            warn_if_probabilities(logits)
    z, _ = recover_logits(student_logits, True)
    z = ops.cast(z, keras.backend.result_type(z.dtype, "float32"))
    z_teacher, _ = recover_logits(teacher_logits, True)
    z_teacher = ops.stop_gradient(ops.cast(z_teacher, z.dtype))
    _check_shapes(tuple(z.shape), tuple(z_teacher.shape))
    beta = objective.beta
    losses, valid = 0.0, None
    if y_true is None:
        if beta != 1 or objective.ignore_class is not None:
            raise InputError(
                "Expected labels, or beta=1 without ignore_class. "
                f"Received: y_true=None, beta={beta}, ignore_class={objective.ignore_class}"
            )
    elif beta == 1:
        targets = read_targets(y_true, z, ignore_class=objective.ignore_class)
        valid = targets.valid
        losses = nan_where_invalid(ops.zeros_like(z[..., 0]), targets)
    else:
        if objective.label_loss is not None:
            from_labels, valid = objective.label_loss.losses_and_valid(
                y_true, z, mask, sample_weight
            )
        else:
            inputs = read_inputs(
                y_true,
                z,
                from_logits=True,
                ignore_class=objective.ignore_class,
                mask=mask,
                sample_weight=sample_weight,
            )
            refuse_alpha(inputs.targets, "alpha='per-example'")
            valid = inputs.targets.valid
            from_labels = smoothed_ce(inputs, objective.alpha, objective.smoothing)
            from_labels = mask_losses(from_labels, inputs.targets)
        losses = (1 - beta) * from_labels
    if beta:
        if valid is not None:  # ignored positions may have NaN or infinity
            z, z_teacher = (ops.where(valid[..., None], x, 0.0) for x in (z, z_teacher))
        from_teacher = _teacher_losses(z, z_teacher, objective)
        if valid is not None:
            from_teacher = ops.where(valid, from_teacher, 0.0)
        losses = losses + beta * from_teacher
    return losses, valid


def _teacher_losses(z, z_teacher, objective: Objective):
    if objective.loss == "squared-logits":
        # Classes that both mask have no distance, and no NaN in the gradient.
        masked = ops.logical_and(ops.equal(z, -np.inf), ops.equal(z_teacher, -np.inf))
        difference = ops.where(masked, 0.0, z) - ops.where(masked, 0.0, z_teacher)
        return 0.5 * ops.sum(ops.square(difference), axis=-1)
    # Converted to float, because JAX and PyTorch reject integers beyond int64.
    teacher_t, student_t = (
        float(t) for t in (objective.teacher_temperature, objective.student_temperature)
    )
    targets = ops.softmax(z_teacher / teacher_t, axis=-1)
    no_smoothing = SmoothedTargets(None, None, 0.0, None)
    losses = dense_cross_entropy(z / student_t, targets, no_smoothing, normalize=True)
    if objective.scale_by_temperature:
        losses = losses * (teacher_t * student_t)
    return losses


def _check_shapes(student: tuple, teacher: tuple) -> None:
    same = len(student) == len(teacher) and all(
        a is None or b is None or a == b for a, b in zip(student, teacher, strict=True)
    )
    if not student or not same:
        raise InputError(
            "Expected logits of student and teacher of one shape (..., K). "
            f"Received: {student} from the student, {teacher} from the teacher"
        )
