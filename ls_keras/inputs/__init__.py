"""Reading and validating labels, predictions, weights and batches."""
