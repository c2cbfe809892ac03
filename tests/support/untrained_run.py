"""A run directory as training leaves it, made in a moment: random weights, no evaluation."""

import numpy as np

from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.settings.resolving import resolve_config


def untrained_run(task, folder, *, steps=(), seed=0, scale=1.0, **settings):
    """Saves checkpoints at `steps`, each with weights of its own, and the last one's model.

    Weights have the standard deviation `scale`: near 0, the model finds all classes alike.
    """
    resolved = resolve_config(task, None, settings)
    run = RunDirectory.create(folder, resolved.to_dict())
    data = task.load_data(resolved)
    run.write_artifacts(data.artifacts)
    model = task.build_model(resolved, data)
    model.compile("adam", "mse")
    rng = np.random.default_rng(seed)
    model.optimizer.build(model.trainable_variables)
    model.set_weights([rng.normal(0, scale, w.shape) for w in model.get_weights()])
    for step in steps:
        model.set_weights([rng.normal(0, scale, w.shape) for w in model.get_weights()])
        Checkpoints(run.checkpoints, max_to_keep=len(steps)).save(model, step)
    run.save_model(model)
    return StoredRun(run, task, resolved)
