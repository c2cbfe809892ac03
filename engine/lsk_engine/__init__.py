"""The engine: it trains, keeps, scores and studies runs of any task.

A plugin's author needs the names below, and `smoothing_study` is for anybody with a Keras model;
nothing of Keras is imported for them.
"""

from ls_base.errors import InputError
from lsk_engine.keras_model.study import smoothing_study
from lsk_engine.progress import Progress
from lsk_engine.settings.config import Config, Preset
from lsk_engine.tasks.contract import Examples, Scores, Task, TaskData

__all__ = [
    "Config",
    "Examples",
    "InputError",
    "Preset",
    "Progress",
    "Scores",
    "Task",
    "TaskData",
    "smoothing_study",
]
