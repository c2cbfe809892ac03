"""The choice of who trains the runs of a study."""

from collections.abc import Sequence

from ls_base.errors import InputError
from lsk_engine.progress import Reporter
from lsk_engine.studies.executors.dask_cluster import Cluster
from lsk_engine.studies.executors.executor import Trainings
from lsk_engine.studies.executors.local_processes import LocalProcesses


def trainings_of(
    command: Sequence[str] | None, jobs: int, scheduler: str | None, reporter: Reporter
) -> Trainings:
    """Returns who trains the runs of a study: nothing is started yet.

    Args:
        command: What trains a run, the run's path goes behind it; `None`: nothing but this process.
        jobs: How many processes of this machine.
        scheduler: Whose workers, as `Cluster` takes it; `None`: no cluster's.
        reporter: Who is told.

    Raises:
        InputError: If that can't be.
    """
    if jobs < 1:
        raise InputError(f"Expected at least one job. Received: {jobs}")
    if scheduler is None:
        return LocalProcesses(command or (), jobs)
    if jobs != 1:
        raise InputError(
            "Expected --jobs or --scheduler, whose workers train a run each. "
            f"Received: jobs={jobs}, scheduler={scheduler}"
        )
    if command is None:
        raise InputError(
            "Expected runs that other processes can train, for a scheduler. "
            f"Received: a model of this process, scheduler={scheduler}"
        )
    return Cluster(command, scheduler, reporter)
