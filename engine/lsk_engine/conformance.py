"""Tests of the task contract: subclass `TaskContract` in a plugin's own test suite."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from lsk_engine.data.fingerprint import compare_fingerprints, fingerprint_data
from lsk_engine.settings.config import Config
from lsk_engine.settings.resolving import resolve_config, restore_config
from lsk_engine.tasks.contract import Task, TaskData


class TaskContract:
    """Tests of one task on data so small that each takes seconds (pytest collects subclasses).

    A subclass says which task, and gives the settings that make it small, by overriding `task`
    and `settings`.

    Example:
        ```python
        class TestSpirals(TaskContract):
            def task(self):
                return SpiralsTask()

            def settings(self, folder):
                return {"data.points": 60, "training.steps": 4}
        ```
    """

    def task(self) -> Task:
        """Returns the task under test."""
        raise NotImplementedError

    def settings(self, folder: Path) -> dict[str, Any]:
        """Returns settings by dotted key; data may be written into `folder`."""
        raise NotImplementedError

    def required(self, folder: Path) -> dict[str, Any]:
        """Returns the settings without a default, by dotted key; most tasks have none."""
        return {}

    def loaded(self, folder: Path) -> tuple[Task, Config, TaskData]:
        """Returns the task, its small configuration and its data."""
        task = self.task()
        config = resolve_config(task, None, self.settings(folder))
        return task, config, task.load_data(config)

    def test_configuration_round_trips_through_json(self, tmp_path):
        """Every preset, and the small one."""
        task = self.task()
        for preset in task.presets:
            config = resolve_config(task, preset.name, self.required(tmp_path))
            assert restore_config(task, json.loads(json.dumps(config.to_dict()))) == config
        config = resolve_config(task, None, self.settings(tmp_path))
        assert restore_config(task, json.loads(json.dumps(config.to_dict()))) == config

    def test_data_keep_the_contract(self, tmp_path):
        """Splits, label range, counts, references, gathering by any rows."""
        _, _, data = self.loaded(tmp_path)
        assert {"train", "validation", "test"} <= set(data.splits)
        assert len(data.class_names) == len(data.class_counts) == data.num_classes
        counted = np.zeros(data.num_classes, int)
        for name, examples in data.splits.items():
            rows = np.arange(len(examples))
            size = None if examples.sizes is None else int(examples.sizes.max())
            inputs, labels = examples.gather(rows, size)
            counts = np.ones(labels.shape, bool)
            if data.ignore_class is not None:
                counts = labels != data.ignore_class
            assert np.issubdtype(labels.dtype, np.integer)
            assert all(len(values) == len(rows) for values in inputs.values())
            assert len(examples.references) == len(rows)
            per_example = counts.reshape(len(rows), -1).sum(1)
            np.testing.assert_array_equal(per_example, examples.label_counts())
            kept = labels[counts]
            assert kept.min() >= 0
            assert kept.max() < data.num_classes
            assert not np.isin(kept, data.unused_classes).any()
            if name == "train":
                counted += np.bincount(kept, minlength=data.num_classes)
        np.testing.assert_array_equal(counted, data.class_counts)

    def test_artifacts_give_the_same_data_again(self, tmp_path):
        """A run's vocabulary is loaded, not rebuilt."""
        task, config, data = self.loaded(tmp_path)
        again = task.load_data(config, data.artifacts)
        assert again.artifacts == data.artifacts
        for name, examples in data.splits.items():
            size = None if examples.sizes is None else int(examples.sizes.max())
            rows = np.arange(len(examples))[::-1]
            first, second = examples.gather(rows, size), again.splits[name].gather(rows, size)
            np.testing.assert_array_equal(first[1], second[1])

    def test_the_seed_of_training_draws_no_data(self, tmp_path):
        """Runs of several seeds are compared on the same data; `data.split_seed` draws others."""
        task, _, data = self.loaded(tmp_path)
        config = resolve_config(task, None, {**self.settings(tmp_path), "training.seed": 1})
        assert (
            compare_fingerprints(fingerprint_data(data), fingerprint_data(task.load_data(config)))
            == []
        )

    def test_model_emits_float32_logits(self, tmp_path):
        """From a last layer `logits` with kernel and bias, `(..., num_classes)`."""
        task, config, data = self.loaded(tmp_path)
        model = task.build_model(config, data)
        layer = model.get_layer("logits")
        assert model.output_shape[-1] == data.num_classes
        assert model.output.dtype == "float32"
        assert hasattr(layer, "kernel")
        assert hasattr(layer, "bias")

    def test_training_lowers_the_loss(self, tmp_path):
        """A few steps on one batch."""
        from lsk_engine.data.datasets import training_source
        from lsk_engine.devices.xla import jit_compile
        from lsk_engine.tasks.loss import build_loss
        from lsk_engine.training.optimizers import build_optimizer

        task, config, data = self.loaded(tmp_path)
        batch = training_source(config, data).batch(0)
        model = task.build_model(config, data)
        model.compile(
            build_optimizer(config.optimizer, 10),
            build_loss(config, data, "sum"),
            jit_compile=jit_compile(config),
        )
        losses = [
            float(model.train_on_batch(batch.inputs, batch.labels, batch.sample_weight))
            for _ in range(8)
        ]
        assert min(losses[4:]) < losses[0]

    def test_saved_model_gives_the_same_logits(self, tmp_path):
        """Weights and graph survive; nothing needs `custom_objects`."""
        import keras

        from lsk_engine.data.datasets import training_source

        task, config, data = self.loaded(tmp_path)
        batch = training_source(config, data).batch(0)
        model = task.build_model(config, data)
        model.save(tmp_path / "model.keras")
        task.import_layers(config)
        loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
        np.testing.assert_array_equal(
            loaded.predict_on_batch(batch.inputs), model.predict_on_batch(batch.inputs)
        )

    def test_outputs_are_scored(self, tmp_path):
        """Each example has an output that JSON can hold; references score best."""
        task, config, data = self.loaded(tmp_path)
        model = task.build_model(config, data)
        examples = data.splits["test"]
        seen: list[tuple[int, int]] = []
        outputs = task.decode(
            model, examples, config, data, lambda done, total: seen.append((done, total))
        )
        assert json.loads(json.dumps(outputs)) == outputs
        assert len(outputs) == len(examples)
        assert seen[-1] == (len(examples), len(examples))
        scores = task.score(examples, outputs)
        assert set(scores.values) == set(scores.labels)
        assert all(np.isfinite(value) for value in scores.values.values())
