"""A function that builds a model, and arrays, in place of a task."""
