"""Data on their way to a model: batches, prepared data sets, TFDS, teachers' logits."""
