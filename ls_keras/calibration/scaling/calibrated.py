"""A model whose logits are scaled by a fit; it is saved, loaded and served like any other."""

import inspect
import itertools
import sys

import keras

from ls_keras.calibration.scaling.model_logits import find_logits, to_logits
from ls_keras.calibration.scaling.recalibration import Recalibration
from ls_keras.errors import InputError, shown
from ls_keras.inputs.model_outputs import Output, replaced, select_output
from ls_keras.inputs.validation import as_flag, as_number
from ls_keras.layers import Temperature

NAME = "calibrated_logits"


@keras.saving.register_keras_serializable(package="ls_keras")
class CalibratedModel(keras.Model):
    """A model of any kind with a scaling of its logits; `calibrated` creates it.

    It returns what the model returns: logits, or probabilities if the model emits probabilities.

    Args:
        model: Emits logits or probabilities. To save it, register its class with Keras.
        scaling: Layer that scales the logits.
        from_logits: Whether the model emits logits. Default: `False`, as in Keras: it emits
            probabilities, whose logarithms are scaled.
        output: Output to scale, for a model with several; the others stay as they are.
        multi_label: Whether each entry of the output's last axis is a sigmoid of its own. Default:
            `False`.
        **kwargs: Arguments of `keras.Model`.
    """

    def __init__(
        self,
        model,
        scaling,
        *,
        from_logits: bool = False,
        output: Output = None,
        multi_label: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.output_key = output
        self.from_logits = as_flag(from_logits, "from_logits")
        self.multi_label = as_flag(multi_label, "multi_label")
        for name, value in (("model", model), ("scaling", scaling)):
            if not isinstance(value, keras.layers.Layer):
                raise InputError(
                    f"Expected {name} to be a Keras model or layer. Received: {shown(value)}"
                )
        self.model = model
        self.logarithm = None if from_logits else to_logits(multi_label)
        self.scaling = scaling

    def call(self, inputs, training=None, mask=None):
        """Runs the model and scales its logits."""
        takes, arguments = inspect.signature(self.model.call).parameters, {}
        if "training" in takes:
            arguments["training"] = training
        if mask is not None and "mask" in takes:
            arguments["mask"] = mask
        outputs = self.model(inputs, **arguments)
        z = select_output(outputs, self.output_key)
        z = self.scaling(z if self.logarithm is None else self.logarithm(z))
        if self.logarithm is not None:
            z = keras.ops.sigmoid(z) if self.multi_label else keras.ops.softmax(z)
        return replaced(outputs, self.output_key, z)

    def get_config(self):
        """Returns the configuration, including that of the model."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "output": self.output_key,
            "multi_label": self.multi_label,
            "model": keras.saving.serialize_keras_object(self.model),
            "scaling": keras.saving.serialize_keras_object(self.scaling),
        }

    @classmethod
    def from_config(cls, config):
        """Restores model and scaling."""
        config = dict(config)
        model = keras.saving.deserialize_keras_object(config.pop("model"))
        scaling = keras.saving.deserialize_keras_object(config.pop("scaling"))
        return cls(model, scaling, **config)


class CalibratedTask:
    """Mixin that makes a Keras Hub task a calibrated one: `predict` and `generate` use the scaling.

    The classes are created per task, and share one registered name, since `from_config` of any of
    them restores all.
    """

    def call_with_cache(self, *args, **kwargs):
        """Returns the task's result with calibrated logits, for `generate` of a `CausalLM`."""
        logits, *others = super().call_with_cache(*args, **kwargs)  # type: ignore[misc]
        return self.scaling(logits), *others  # type: ignore[attr-defined]

    def get_config(self):
        """Returns the configuration of the task and of the scaling."""
        return dict(self.calibrated_config)  # type: ignore[attr-defined]

    @classmethod
    def from_config(cls, config):
        """Restores the task and its scaling."""
        task, scaling = (
            keras.saving.deserialize_keras_object(config[key]) for key in ("task", "scaling")
        )
        options = {key: config[key] for key in ("from_logits", "multi_label")}
        return _graph_model(task, scaling, config["name"], **options)


_register_task = keras.saving.register_keras_serializable("ls_keras", "CalibratedTask")
_register_task(CalibratedTask)


def calibrated(
    model: keras.Model,
    fit: Recalibration | float,
    *,
    from_logits: bool = False,
    output: Output = None,
) -> keras.Model:
    """Returns a model of the same inputs and outputs whose predictions are calibrated.

    It emits what `model` emits: logits, or probabilities of a softmax or sigmoid. The layer that
    scales the logits is named `calibrated_logits` (see `ls_keras.layers`). All layers are shared
    with `model`, which does not change; `get_layer("logits")` still finds the layer of that name.

    A final softmax (or sigmoid) of a functional or sequential model is found in its graph of layers
    (a layer, an activation, `keras.ops.softmax`, also in a nested model, a `TimeDistributed` or a
    `Lambda`), and the scaling is put before it; if it is the `activation` of the last layer, the
    weights of that layer are copied, not shared. If the graph does not show what the output is,
    `from_logits` does. Models without a graph become part of a `CalibratedModel`. A task of Keras
    Hub keeps its class and its preprocessor, and `generate` of a `CausalLM` samples from the
    calibrated probabilities.

    Args:
        model: A built `keras.Model`.
        fit: Result of `fit_temperature`, `fit_temperature_dataset`, `fit_vector_scaling`,
            `fit_mixed_temperature`, `fit_matrix_scaling`, `fit_isotonic` or `fit_histogram` for the
            logits of the model; or a number, which is a temperature.
        from_logits: Whether the model emits logits, if its graph does not show it: subclasses,
            custom layers, a `Lambda` of backend operations. Default: `False`, as in Keras: it emits
            probabilities, whose logarithms are scaled.
        output: Output to scale, for a model with several: name, key or index. The others stay as
            they are; a second call scales another one.

    Returns:
        An uncompiled model. `save` and `keras.models.load_model` need no `custom_objects` if
        `ls_keras` has been imported.

    Raises:
        InputError: If the model is not built, has several outputs and none is selected, or ends in
            an activation other than softmax or sigmoid (without `from_logits=True`), or if the fit
            is for another number of classes.

    Warns:
        UserWarning: If the model ends in a softmax and `from_logits` is true.

    Example:
    >>> import keras, numpy as np
    >>> from ls_keras.calibration import calibrated, fit_temperature
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    >>> model.set_weights([np.eye(2), np.zeros(2)])
    >>> x, y = np.array([[4.0, 0.0]] * 10), np.array([0] * 9 + [1])
    >>> fit = fit_temperature(y, model.predict(x, verbose=0))
    >>> round(float(calibrated(model, fit)(x)[0, 0]), 4)
    0.9
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a keras.Model. Received: {type(model).__name__}")
    as_flag(from_logits, "from_logits")
    multi_label: bool | None = getattr(fit, "multi_label", False)
    taken = {layer.name for layer in model.layers}
    if isinstance(fit, Recalibration):
        scaling = fit.make_layer(_free_name(NAME, output, taken))
    else:
        temperature = as_number(fit, "fit", low=0, above=True)
        scaling, multi_label = Temperature(temperature, name=_free_name(NAME, output, taken)), None
    name = f"{model.name}_calibrated"
    if not isinstance(model, keras.Sequential | keras.Function):
        return CalibratedModel(
            model,
            scaling,
            from_logits=from_logits,
            output=output,
            multi_label=bool(multi_label),
            name=name,
        )
    return _graph_model(
        model,
        scaling,
        name,
        from_logits=from_logits,
        multi_label=multi_label,
        output=output,
        fit=fit if isinstance(fit, Recalibration) else None,
    )


def _graph_model(
    model: keras.Model,
    scaling: keras.layers.Layer,
    name: str,
    *,
    from_logits: bool,
    multi_label: bool | None,
    output: Output = None,
    fit: Recalibration | None = None,
) -> keras.Model:
    """Returns a functional model with the scaling before the softmax, or after the logits."""
    is_task = _is_hub_task(model)
    # Language models of Keras Hub end in an embedding that emits logits, unseen in the graph.
    known = from_logits or (is_task and hasattr(model, "call_with_cache"))
    logits, activation = find_logits(
        model, from_logits=known, output=output, multi_label=multi_label
    )
    if fit is not None:
        fit.check_classes(logits.shape[-1])
    outputs = scaling(logits)
    if activation is not None:
        taken = {layer.name for layer in model.layers}
        last = _free_name("calibrated_probabilities", output, taken)
        outputs = keras.layers.Activation(activation, dtype="float32", name=last)(outputs)
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], outputs, name=name)
    outputs = replaced(model.output, output, outputs, model.output_names)
    made = keras.Model(model.input, outputs, name=name)
    if not is_task:
        return made
    task = keras.saving.serialize_keras_object(model)
    task.pop("compile_config", None)  # the result is not compiled, either
    config = {
        "task": task,
        "scaling": keras.saving.serialize_keras_object(scaling),
        "from_logits": from_logits,
        "multi_label": multi_label,
        "name": name,
    }
    return _task_model(model, made, scaling, config)


def _task_model(task, plain: keras.Model, scaling, config: dict) -> keras.Model:
    """Returns a task of the same class whose graph is that of a plain functional model."""
    made_class = type(f"Calibrated{type(task).__name__}", (CalibratedTask, type(task)), {})
    made = _register_task(made_class).__new__(made_class)
    # What the constructor of the task adds to a model: backbone, preprocessor, sampler, …
    later = {"_initialized", "_functional_layer_ids", "generate_function", *vars(plain)}
    for name, value in vars(task).items():
        if name not in later:
            setattr(made, name, value)
    made.scaling = scaling
    sys.modules["keras_hub"].models.Task.__init__(
        made, inputs=plain.input, outputs=plain.output, name=config["name"], compile=False
    )
    made.generate_function = None  # Keras Hub compiles it for `made` when `generate` is called
    vars(made)["calibrated_config"] = config  # a plain dict, which Keras does not track
    return made


def _is_hub_task(model) -> bool:
    hub = sys.modules.get("keras_hub")
    return hub is not None and isinstance(model, hub.models.Task)


def _free_name(name: str, output: Output, taken: set[str]) -> str:
    """Returns a layer name that the model does not have yet."""
    if name in taken and output is not None:
        name = f"{name}_of_{output}"
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(candidate for candidate in names if candidate not in taken)
