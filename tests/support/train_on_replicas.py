"""Trains the tiny task's cases on some devices: `train_on_replicas.py HOW[,HOW] DIR [CASE …]`.

HOW: `one-device`, `mirrored` (two logical CPUs), `data-parallel` (the devices that XLA_FLAGS makes)
or `processes`: this is one of them, with its index in the environment. Runs are DIR/HOW/CASE.

In a process of its own: TensorFlow numbers its collective operations by process, and a second
MirroredStrategy may meet what is left of the first. Devices are set up before anything else.
"""

import contextlib
import sys
from pathlib import Path
from unittest.mock import patch

import keras

from lsk_engine.devices.processes import join
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.training.checkpointing import Interrupted
from tiny_task import TinyTask

ways, folder, *more = sys.argv[1:]
if keras.config.backend() == "jax":
    sys.modules["tensorflow"] = None  # saves 4 s; it is not needed
if "mirrored" in ways:
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
PLAIN = {
    "training.batch_size": 7,  # which two replicas don't divide
    "model.dropout": 0.0,  # replicas draw other masks than one device does
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.5,
    "optimizer.global_clipnorm": 0.3,  # of the whole batch's gradient, not of each replica's
    "optimizer.l2": 1e-2,
    "training.loss_weight": 3.0,
    "optimizer.logits_lr_multiplier": 0.5,
}
AT_THE_END = {"training.validate_every": 99}
CASES = {
    "plain": {"training.max_length_buckets": 3},  # some have fewer validation rows
    # A scale that overflows at first: steps are left out, by all replicas.
    "fp16": {"training.precision": "mixed_float16", "optimizer.ema_momentum": 0.9, **AT_THE_END},
    # Rows that only fill up a batch have a part in its statistics: here there are as many.
    "batch_norm": {
        "model.batch_norm": True,
        "training.sync_batch_norm": True,
        "training.batch_size": 8,
        **AT_THE_END,
    },
    "xla": {"training.jit_compile": True, **AT_THE_END},
    "accumulated": {
        "training.gradient_accumulation_steps": 2,
        "training.batch_size": 5,
        **AT_THE_END,
    },
}
# With its pictures, which the others go without.
STORY = "story"
SCORED = ("plain", STORY)


def run_one(how: str, name: str) -> None:
    """Trains into DIR/HOW/NAME, or goes on there."""
    settings = {"training.strategy": "auto" if how == "processes" else how}
    resolved = resolve_config(TinyTask(), None, PLAIN | settings | CASES.get(name, {}))
    run = RunDirectory(Path(folder) / how / name)
    resume = run.config_file.is_file()
    if join().index == 0 and not resume:
        RunDirectory.create(run.path, resolved.to_dict())
    run_experiment(TinyTask(), resolved, run, Reporter(verbosity=-1), resume=resume)


def run_undrawn(how: str, name: str) -> None:
    """Trains without pictures; scores only what is to be."""
    pictures = ("training.train.draw_learning_curves", "scoring.evaluate.save_plot")
    left_out = pictures if name in SCORED else (*pictures, "experiment.evaluate")
    with contextlib.ExitStack() as patches:
        for function in left_out:
            patches.enter_context(patch(f"lsk_engine.{function}", lambda *_, **__: {}))
        run_one(how, name)


try:
    for how in ways.split(","):
        for case in more or CASES:
            (run_one if case == STORY else run_undrawn)(how, case)
except Interrupted as stop:
    sys.exit(stop.exit_code)
