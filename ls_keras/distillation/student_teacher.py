"""Checks of student and teacher models, and a random view that both share."""

from collections.abc import Mapping

import keras

from ls_keras.backend import keras_internals
from ls_keras.errors import InputError, shown
from ls_keras.inputs.output_activation import OTHER, SIGMOID, SOFTMAX, UNKNOWN, model_output

# Prefixes of the names of layers that change images at random in training.
_RANDOM = ("Random", "Augment", "AugMix", "CutMix", "MixUp")


def check_models(student: keras.Model, teacher: keras.Model | None, from_logits: bool) -> None:
    """Raises an `InputError` unless a `Distiller` can use these models.

    Args:
        student: See `Distiller`.
        teacher: See `Distiller`.
        from_logits: See `Distiller`.
    """
    _check_logits(student, "student", from_logits)
    if teacher is None:
        _check_no_augmentation(student)
    else:
        _check_pair(student, teacher)
        _check_logits(teacher, "teacher", from_logits)


def _check_logits(model: keras.Model, role: str, from_logits: bool) -> None:
    """Raises an `InputError` unless the layers of a model, or `from_logits`, show logits."""
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
            f"Expected a {role} whose layers show that it returns logits, or from_logits=True. "
            f"Received: {model.name!r} with an output of {found.made_by}"
        )


def _check_pair(student: keras.Model, teacher: keras.Model) -> None:
    if not isinstance(teacher, keras.Model):
        raise InputError(f"Expected a teacher that is a keras.Model. Received: {shown(teacher)}")
    if not teacher.built:
        raise InputError(
            f"Expected a built teacher with trained weights. Received: {teacher.name!r}, not built"
        )
    if {id(v) for v in student.variables} & {id(v) for v in teacher.variables}:
        raise InputError(
            "Expected a teacher that shares no weights with its student, which would be frozen. "
            f"Received: {teacher.name!r} and {student.name!r}"
        )
    shapes = [m.outputs[0].shape for m in (student, teacher) if getattr(m, "outputs", None)]
    if len(shapes) == 2 and shapes[0][-1] != shapes[1][-1]:
        raise InputError(
            "Expected student and teacher with the same classes. "
            f"Received: {shapes[0][-1]} of the student, {shapes[1][-1]} of the teacher"
        )


def _check_no_augmentation(student: keras.Model) -> None:
    for layer in keras_internals.layers_within(student):
        if type(layer).__name__.startswith(_RANDOM):
            raise InputError(
                "Expected a student without random augmentation, because stored logits are those "
                "of other inputs; pass the teacher itself to the Distiller. "
                f"Received: {student.name!r} with the layer {layer.name!r}"
            )


class SharedView:
    """Runs student and teacher in training, the teacher on the output of a student's layer.

    With one input, the output of the layer replaces the input of the teacher. With several inputs,
    it replaces the output of the teacher's layer of the same name.

    Args:
        student: A functional model.
        teacher: A model; functional if there are several inputs.
        name: Name of the layer.

    Raises:
        InputError: If there is no such layer or no teacher.
    """

    def __init__(self, student: keras.Model, teacher: keras.Model | None, name):
        layers = {layer.name: layer for layer in student.layers}
        known = isinstance(name, str) and name in layers
        if teacher is None or not known or not getattr(student, "inputs", None):
            raise InputError(
                "Expected teacher_view to be a layer of a functional student, and a teacher. "
                f"Received: {shown(name)} with student {student.name!r}, "
                f"which has the layers {', '.join(layers)}"
            )
        self._student = keras.Model(student.inputs, [layers[name].output, student.outputs[0]])
        self._teacher = teacher
        self._several = len(student.inputs) > 1
        if self._several:
            self._teacher = _start_from_layer(teacher, name)

    def __call__(self, inputs):
        """Returns the logits of student and teacher in training, for the same view."""
        view, z = self._student(_in_order(inputs, self._student.inputs), training=True)
        if self._several:
            rest = _in_order(inputs, self._teacher.inputs[1:])
            return z, self._teacher([view, *rest], training=False)
        views = keras.tree.map_structure(lambda _: view, inputs)
        return z, self._teacher(views, training=False)


def _in_order(inputs, symbols) -> list:
    """Returns inputs in the order of a model, by their names if they are a dictionary."""
    names = [symbol.name for symbol in symbols]
    if isinstance(inputs, Mapping) and set(names) <= set(inputs):
        return [inputs[name] for name in names]
    return keras.tree.flatten(inputs)


def _start_from_layer(teacher: keras.Model, name: str) -> keras.Model:
    """Returns the teacher with the output of the layer `name` as its first input."""
    layers = {layer.name: layer for layer in teacher.layers}
    if name not in layers or not getattr(teacher, "inputs", None):
        raise InputError(
            "Expected a functional teacher with the layer teacher_view, because there are several "
            f"inputs. Received: {name!r} with teacher {teacher.name!r}, which has the layers "
            f"{', '.join(layers)}"
        )
    return keras.Model([layers[name].output, *teacher.inputs], teacher.outputs[0])
