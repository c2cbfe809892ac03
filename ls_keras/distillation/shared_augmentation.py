"""What a layer of the student makes of the inputs, such as its augmentation, for both."""

from collections.abc import Mapping

import keras

from ls_base.errors import InputError
from ls_keras.errors import shown


class SharedView:
    """Student and teacher in training, the teacher from a layer of the student on.

    A student of one input has the layer's output in place of the teacher's input. Of several, it is
    the output of the teacher's layer of that name: the teacher goes on from there.

    Args:
        student: Functional.
        teacher: Likewise where there are several inputs.
        name: Of the layer.

    Raises:
        InputError: If there is no such layer, or no teacher.
    """

    def __init__(self, student: keras.Model, teacher: keras.Model | None, name):
        layers = {layer.name: layer for layer in student.layers}
        known = isinstance(name, str) and name in layers
        if teacher is None or not known or not getattr(student, "inputs", None):
            raise InputError(
                "Expected teacher_view to be a layer of a functional student, and a teacher. "
                f"Received: {shown(name)} with student {student.name!r}, "
                f"of layers {', '.join(layers)}"
            )
        self._student = keras.Model(student.inputs, [layers[name].output, student.outputs[0]])
        self._teacher = teacher
        self._several = len(student.inputs) > 1
        if self._several:
            self._teacher = _from_layer(teacher, name)

    def __call__(self, inputs):
        """Returns the student's logits in training, and the teacher's of the same view."""
        view, z = self._student(_in_order(inputs, self._student.inputs), training=True)
        if self._several:
            rest = _in_order(inputs, self._teacher.inputs[1:])
            return z, self._teacher([view, *rest], training=False)
        views = keras.tree.map_structure(lambda _: view, inputs)
        return z, self._teacher(views, training=False)


def _in_order(inputs, symbols) -> list:
    """Returns inputs in a model's order: by its inputs' names where they have them, as in Keras."""
    names = [symbol.name for symbol in symbols]
    if isinstance(inputs, Mapping) and set(names) <= set(inputs):
        return [inputs[name] for name in names]
    return keras.tree.flatten(inputs)


def _from_layer(teacher: keras.Model, name: str) -> keras.Model:
    """Returns the teacher with the output of the layer `name` as an input, before the others."""
    layers = {layer.name: layer for layer in teacher.layers}
    if name not in layers or not getattr(teacher, "inputs", None):
        raise InputError(
            "Expected a functional teacher with the layer that teacher_view names, as there are "
            f"several inputs. Received: {name!r} with teacher {teacher.name!r}, of layers "
            f"{', '.join(layers)}"
        )
    return keras.Model([layers[name].output, *teacher.inputs], teacher.outputs[0])
