"""The tiny task, whose data can be prepared."""

import dataclasses

import numpy as np

from lsk_engine.data.prepared import prepared_data
from lsk_engine.settings.prepared_manifest import is_prepared
from tiny_task import TinyTask


@dataclasses.dataclass(frozen=True)
class DataConfig:
    source: str = "letters"
    letters: tuple[str, ...] = ("a", "b")
    length: int = 7


class PreparableTask(TinyTask):
    """Writes one array, and a file in a folder."""

    data_config = DataConfig

    def load_data(self, config, artifacts=None):
        if is_prepared(config.data.source):
            found = prepared_data.open_prepared(config.data.source, config.task)
            inputs = np.load(found.files.file("letters.npy"))
            data = super().load_data(config)
            np.testing.assert_array_equal(inputs, data.splits["train"].inputs)
            return dataclasses.replace(data, notes=found.notes)
        return dataclasses.replace(super().load_data(config), notes=("letters: made",))

    def prepare(self, config, data, directory):
        np.save(directory / "letters.npy", data.splits["train"].inputs)
        (directory / "more").mkdir()
        (directory / "more" / "text.txt").write_text("ä\n")
