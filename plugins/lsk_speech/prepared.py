"""Speech data on disk: sound and transcripts that training reads through memory maps.

```
DIR/units.json or subwords.model   what transcripts are cut into
DIR/sound.json                     what a model hears
DIR/splits.json                    the names of the splits, in order
DIR/SPLIT/                         as `lsk_speech.stored_speech` has it
```
"""

from collections.abc import Mapping
from pathlib import Path

from ls_base.errors import InputError
from ls_base.files import read_json, write_json
from lsk_engine.data.prepared import PreparedData
from lsk_engine.tasks.contract import TaskData
from lsk_speech.data import Utterances, encoded, task_data
from lsk_speech.sound import SOUND_FILE, Sound
from lsk_speech.stored_speech import read_speech, write_speech
from lsk_speech.units import SUBWORDS_FILE, UNITS_FILE, load_units

_SPLITS_FILE = "splits.json"


def write_prepared(data: TaskData, directory: Path) -> None:
    """Writes what `lsk_speech.data.load` gave."""
    for name, content in data.artifacts.items():
        (directory / name).write_bytes(content)
    for name, utterances in data.splits.items():
        if not isinstance(utterances, Utterances):
            raise InputError(f"Expected utterances. Received: {type(utterances).__name__}")
        write_speech(utterances.speech, directory / name)
    write_json(directory / _SPLITS_FILE, list(data.splits))


def load_prepared(prepared: PreparedData, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Opens what `write_prepared` wrote.

    Args:
        prepared: Where it is.
        artifacts: Of the run that the data are for, or `None`: its units and features must be
            these.
    """
    files = [prepared.path / name for name in (UNITS_FILE, SUBWORDS_FILE, SOUND_FILE)]
    stored = {file.name: file.read_bytes() for file in files if file.is_file()}
    if artifacts is not None and dict(artifacts) != stored:
        raise InputError(
            "Expected the data that the run was trained on. Received: "
            f"{prepared.path}, prepared with other units or features"
        )
    units, sound = load_units(stored), Sound.from_artifacts(stored)
    splits = {
        name: encoded(read_speech(prepared.path / name), units, sound.heard_rate)
        for name in read_json(prepared.path / _SPLITS_FILE)
    }
    return task_data(splits, units, sound, prepared.notes)
