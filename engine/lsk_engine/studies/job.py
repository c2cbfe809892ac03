"""A run that is to be trained."""

import dataclasses
from collections.abc import Callable

from lsk_engine.runs.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A run to be trained.

    Attributes:
        name: What people call it.
        kind: Jobs of a kind take about as long as one another.
        run: Where it goes.
        create: Makes the run directory; called when `after` is finished.
        after: A run that has to be finished first; `None`: none.
    """

    name: str
    kind: str
    run: RunDirectory
    create: Callable[[], object]
    after: RunDirectory | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has its final scores."""
        return self.run.metrics_file.is_file()

    @property
    def ready(self) -> bool:
        """Whether it can start."""
        return self.after is None or self.after.metrics_file.is_file()
