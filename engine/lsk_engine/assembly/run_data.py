"""A run's data, held against what they were when the run began."""

from collections.abc import Mapping

from ls_base.errors import InputError
from ls_base.reading import is_there
from lsk_engine.data.fingerprint import Fingerprint, differences, fingerprint
from lsk_engine.data.shared_data import load_data
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData


def begin_data(
    task: Task, config: Config, run: RunDirectory, artifacts: Mapping[str, bytes] | None
) -> TaskData:
    """Loads the data of a run that begins, and saves what of them belongs to the run.

    That is what the model needs, such as its vocabulary, and what the data are known by.

    Args:
        task: The task.
        config: The run's configuration.
        run: The run.
        artifacts: A teacher's vocabulary and the like, which its student has to use, or `None`.
    """
    data = load_data(task, config, artifacts)
    run.write_artifacts(data.artifacts)
    run.write_json(run.data_file, {"schema": SCHEMA, **fingerprint(data)})
    return data


def reload_data(task: Task, config: Config, run: RunDirectory) -> TaskData:
    """Loads the data of a run that has begun.

    Raises:
        InputError: If they are not what they were. A run of an older version knows nothing of
            what they were.
    """
    data = load_data(task, config, run.read_artifacts())
    if is_there(run.data_file):
        stored = run.read(run.data_file, Fingerprint, schema=SCHEMA)
        changed = differences(stored, fingerprint(data))
        if changed:
            raise InputError(
                f"Expected the data that {run.path} began with, from {config.data.source} (a new "
                f"run takes what there is now). Received: {'; '.join(changed)}"
            )
    return data
