import keras
import numpy as np
import pytest

from ls_keras import SmoothedCE
from lsk_engine.data.batch_sources import training_source
from lsk_engine.data.datasets import as_dataset
from lsk_engine.devices.fit_patches import made_to_fit
from lsk_engine.settings.resolving import resolve_config
from tiny_task import TinyTask

pytestmark = pytest.mark.jax


@pytest.mark.parametrize("parts", [1, 2])
def test_an_epoch_s_loss_is_the_mean_over_its_steps_however_many_rows_they_have(parts):
    task = TinyTask()
    settings = {
        "training.tokens_per_batch": 8,
        "training.max_length_buckets": 3,
        "training.gradient_accumulation_steps": parts,
    }
    config = resolve_config(task, None, {"model.dropout": 0.0, **settings})
    data = task.load_data(config)
    source, model = training_source(config, data), task.build_model(config, data)
    assert source.rows_vary
    loss = SmoothedCE(0.1, from_logits=True, ignore_class=data.ignore_class, reduction="sum")
    model.compile(keras.optimizers.SGD(0.0), loss, jit_compile=False)
    made_to_fit(model, parts=parts)
    steps = source.steps_per_epoch
    fitted = model.fit(as_dataset(source, 0, steps), shuffle=False, verbose=0)
    batches = [source.batch(step) for step in range(steps)]
    of_steps = [float(loss(b.labels, model(b.inputs), b.sample_weight)) for b in batches]
    assert fitted.history["loss"][-1] == pytest.approx(np.mean(of_steps), rel=1e-5)
