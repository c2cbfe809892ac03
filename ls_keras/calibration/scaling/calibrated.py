"""A model whose logits are scaled by a fit, to save, load and serve like any other."""

import inspect
import itertools

import keras

from ls_base.errors import InputError
from ls_keras.calibration.scaling.model_logits import logits_tensor
from ls_keras.calibration.scaling.recalibration import Recalibration
from ls_keras.calibration.scaling.temperature import TemperatureFit
from ls_keras.calibration.scaling.vector_scaling import VectorFit
from ls_keras.errors import shown
from ls_keras.inputs.model_outputs import Output, replaced, select_output
from ls_keras.inputs.validation import as_flag
from ls_keras.layers import LogOdds, LogProbabilities, Temperature, VectorScaling

NAME = "calibrated_logits"


@keras.saving.register_keras_serializable(package="ls_keras")
class CalibratedModel(keras.Model):
    """A model of any kind followed by a scaling of its logits; `calibrated` makes it.

    Args:
        model: Emits logits, or probabilities. To be saved, its class must be registered with Keras.
        scaling: The layer that scales them.
        from_logits: Whether the model emits logits; of probabilities the logarithms are scaled.
        output: Which of the model's outputs; the others stay as they are.
        multi_label: Whether each entry of the output's last axis is a sigmoid of its own. Default:
            `False`.
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
        self.logarithm = None
        if not from_logits:
            self.logarithm = (LogOdds if multi_label else LogProbabilities)(
                name="log_probabilities"
            )
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
        return replaced(outputs, self.output_key, z)

    def get_config(self):
        """Returns the configuration, the model's included."""
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
        """Restores both parts."""
        config = dict(config)
        model = keras.saving.deserialize_keras_object(config.pop("model"))
        scaling = keras.saving.deserialize_keras_object(config.pop("scaling"))
        return cls(model, scaling, **config)


def calibrated(
    model: keras.Model,
    fit: TemperatureFit | VectorFit | Recalibration,
    *,
    from_logits: bool = False,
    output: Output = None,
) -> keras.Model:
    """Returns a model of the same inputs whose logits are calibrated.

    Its last layer, named `calibrated_logits`, is that of the fit (`ls_keras.layers`). It emits
    logits: probabilities are their softmax; of a fit with `multi_label`, their sigmoid, and what is
    said of a softmax here holds for a sigmoid then. Layers are shared with `model`, which stays as
    it is; `get_layer("logits")` still finds the layer of that name. Of a functional or sequential
    model that ends in a softmax (a layer, an activation, `keras.ops.softmax`, also inside a nested
    model, a `TimeDistributed` or a `Lambda`), the softmax is left out; where it is the `activation`
    of the last layer, that layer's weights are copied, not shared. Where the graph of layers
    doesn't tell what the output is, `from_logits` says it. Models without a graph become part of a
    `CalibratedModel`.

    Args:
        model: A built `keras.Model`.
        fit: What `fit_temperature`, `fit_temperature_dataset`, `fit_vector_scaling`,
            `fit_mixed_temperature`, `fit_matrix_scaling`, `fit_isotonic` or `fit_histogram`
            returned for the model's logits.
        from_logits: Whether the model emits logits, where its graph doesn't tell: subclasses,
            custom layers, a `Lambda` of the backend's operations. Of probabilities, the default as
            in Keras, the logarithms are scaled.
        output: Of a model with several outputs, the one to be scaled: its name, its key or its
            place. The others stay as they are; a second fit scales another of what is returned.

    Returns:
        An uncompiled model. `save` and `keras.models.load_model` need no `custom_objects` where
        `ls_keras` has been imported.

    Raises:
        InputError: If the model is not built, has several outputs of which none is chosen, or ends
            in an activation that is not a softmax (without `from_logits=True`), or if the fit is
            for another number of classes.

    Warns:
        UserWarning: If the model ends in a softmax, and `from_logits` is true.

    Example:
    >>> import keras, numpy as np
    >>> from ls_keras.calibration.scaling.calibrated import calibrated
    >>> from ls_keras.calibration.scaling.temperature import fit_temperature
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="logits")])
    >>> model.get_layer("logits").set_weights([np.eye(2), np.zeros(2)])
    >>> x, y = np.array([[4.0, 0.0]] * 10), np.array([0] * 9 + [1])
    >>> fit = fit_temperature(y, model.predict(x, verbose=0), from_logits=True)
    >>> scaled = calibrated(model, fit)
    >>> p = keras.ops.softmax(scaled(x))
    >>> round(float(p[0, 0]), 4)
    0.9
    """
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a keras.Model. Received: {type(model).__name__}")
    as_flag(from_logits, "from_logits")
    scaling = _scaling_layer(fit, model, output)
    multi_label = isinstance(fit, TemperatureFit) and fit.multi_label
    name = f"{model.name}_calibrated"
    if isinstance(model, keras.Sequential | keras.Function):
        logits = logits_tensor(
            model, from_logits=from_logits, output=output, multi_label=multi_label
        )
        _check_classes(logits.shape, fit)
        sequential = isinstance(model, keras.Sequential)
        inputs = model.inputs[0] if sequential else model.input
        outputs = scaling(logits)
        if not sequential:
            outputs = replaced(model.output, output, outputs, model.output_names)
        made = keras.Model(inputs, outputs, name=name)
    else:
        made = CalibratedModel(
            model,
            scaling,
            from_logits=from_logits,
            output=output,
            multi_label=multi_label,
            name=name,
        )
    if isinstance(fit, VectorFit):
        if not scaling.built:
            scaling.build((None, len(fit.scale)))
        scaling.set_weights([fit.scale, fit.bias])
    return made


def _scaling_layer(fit, model: keras.Model, output: Output) -> keras.layers.Layer:
    others = {layer.name for layer in model.layers}
    taken = NAME in others  # by the scaling of another output, or of this one
    first = f"{NAME}_of_{output}" if taken and output is not None else NAME
    # A model that is calibrated already has the layer of that fit, too.
    more = (f"{first}_{number}" for number in itertools.count(2))
    name = next(name for name in itertools.chain([first], more) if name not in others)
    if isinstance(fit, TemperatureFit):
        return Temperature(fit.temperature, name=name)
    if isinstance(fit, VectorFit):
        return VectorScaling(name=name)
    if isinstance(fit, Recalibration):
        return fit.layer(name)
    raise InputError(
        "Expected a TemperatureFit or a VectorFit, or what another fit_* of calibration returned. "
        f"Received: {type(fit).__name__}"
    )


def _check_classes(shape, fit) -> None:
    if isinstance(fit, Recalibration):
        fit.check_classes(shape[-1])
    if isinstance(fit, VectorFit) and shape[-1] not in (None, len(fit.scale)):
        raise InputError(
            f"Expected a fit for the model's {shape[-1]} classes. "
            f"Received: one for {len(fit.scale)} classes"
        )
