"""Training: the loop, its log, the optimizer, gradients, averaging, a student's part."""
