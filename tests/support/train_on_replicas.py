"""Trains the tiny task under a strategy on two logical CPUs: `train_on_replicas.py STRATEGY DIR`.

In a process of its own: TensorFlow numbers its collective operations by process, and a second
MirroredStrategy may meet what is left of the first.
"""

import sys
from pathlib import Path

import tensorflow as tf

from lsk_engine.data import configuration
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from tiny_task import TinyTask

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
settings = {
    "training.strategy": sys.argv[1],
    "training.batch_size": 7,  # which two replicas don't divide
    "model.dropout": 0.0,  # replicas would draw the same masks
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.5,
    "optimizer.global_clipnorm": 0.3,  # of the whole batch's gradient, not of each replica's
    "optimizer.l2": 1e-2,
    "optimizer.loss_weight": 3.0,
    "optimizer.logits_rate": 0.5,
}
resolved = configuration.resolve(TinyTask(), None, settings)
run = RunDirectory.create(Path(sys.argv[2]), resolved.to_dict())
run_experiment(TinyTask(), resolved, run, Reporter(verbosity=-1))
