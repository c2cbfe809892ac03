"""Speech data on disk: sound and transcripts that training reads through memory maps.

```
DIR/units.json or subwords.model   what transcripts are cut into
DIR/sound.json                     what a model hears
DIR/splits.json                    the names of the splits, in order
DIR/SPLIT/                         as `lsk_speech.corpora.stored_speech` has it
```
"""

from collections.abc import Mapping
from pathlib import Path

from lsk_engine import Examples, InputError, TaskData
from lsk_engine.data.prepared.prepared_data import PreparedData
from lsk_engine.data.prepared.splits import read_artifacts, read_splits, write_splits
from lsk_speech.corpora.stored_speech import read_speech, write_speech
from lsk_speech.data import Utterances, encoded, task_data
from lsk_speech.features.features_spec import SOUND_FILE, Sound
from lsk_speech.units import SUBWORDS_FILE, UNITS_FILE, load_units


def write_prepared(data: TaskData, directory: Path) -> None:
    """Writes what `lsk_speech.data.load` gave."""
    write_splits(data, directory, _write_utterances)


def load_prepared(prepared: PreparedData, artifacts: Mapping[str, bytes] | None) -> TaskData:
    """Opens what `write_prepared` wrote.

    Args:
        prepared: Where it is.
        artifacts: Of the run that the data are for, or `None`: its units and features must be
            these.
    """
    names = (UNITS_FILE, SUBWORDS_FILE, SOUND_FILE)
    stored = read_artifacts(prepared, names, artifacts, what="other units or features")
    units, sound = load_units(stored), Sound.from_artifacts(stored)
    splits = read_splits(
        prepared, lambda files: encoded(read_speech(files), units, sound.heard_rate)
    )
    return task_data(splits, units, sound, prepared.notes)


def _write_utterances(examples: Examples, folder: Path) -> None:
    if not isinstance(examples, Utterances):
        raise InputError(f"Expected utterances. Received: {type(examples).__name__}")
    write_speech(examples.speech, folder)
