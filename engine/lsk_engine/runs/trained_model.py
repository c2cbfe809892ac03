"""A run's saved model with its data: loaded, held against the contract, compiled to predict."""

import keras

from lsk_engine.devices.xla import jit_compile
from lsk_engine.runs.run_data import reload_data
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.model_contract import check_contract


def load_trained(
    task: Task,
    config: Config,
    run: RunDirectory,
    *,
    data: TaskData | None = None,
    calibrated: bool = False,
) -> tuple[keras.Model, TaskData]:
    """Loads the model that a run saved, and the run's data.

    Args:
        task: The run's task.
        config: The run's configuration; everything random has its seed from here on.
        run: A finished run.
        data: The run's data, where they are loaded already.
        calibrated: Whether to load the model that `lsk calibrate` saved instead.

    Returns:
        The model, compiled for `predict`, and the data.

    Raises:
        FileError: If the run has no such model, or it is damaged.
        InputError: If the data are not what they were when the run began.
        LsKerasError: If the model breaks the contract, or belongs to another vocabulary.
    """
    keras.utils.set_random_seed(config.training.seed)
    task.import_layers(config)
    model = run.load_model(calibrated=calibrated)
    if data is None:
        data = reload_data(task, config, run)
    check_contract(model, data)
    model.compile(jit_compile=jit_compile(config))
    return model, data
