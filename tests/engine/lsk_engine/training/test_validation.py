import numpy as np
import pytest

from lsk_engine.data.datasets import as_dataset, evaluation_source
from lsk_engine.scoring.position_statistics import build_scorer
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.validation import build_validator
from tiny_task import TinyTask

pytestmark = pytest.mark.jax


@pytest.mark.parametrize(("buckets", "batch_size"), [(1, 4), (3, 3), (3, 8), (3, 32), (7, 2)])
def test_validation_measures_what_scoring_does_in_batches_of_any_size(buckets, batch_size):
    task = TinyTask()
    settings = {"training.max_length_buckets": buckets, "training.batch_size": batch_size}
    config = resolve_config(task, None, settings)
    data = task.load_data(config)
    model = task.build_model(config, data)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape, scale=2) for w in model.get_weights()])
    source = evaluation_source(config, data, "validation")
    if batch_size == 8:
        assert source.rows_vary  # what Keras would weigh batches by
    found = build_validator(model, config, data).evaluate(
        as_dataset(source, 0, source.steps_per_epoch), return_dict=True, verbose=0
    )
    expected = build_scorer(model, config, data).predict(source, lambda *_: None).metrics()
    for name in ("loss", "nll", "accuracy", "ece"):
        assert found[name] == pytest.approx(expected[name], rel=1e-5, abs=1e-6), name
