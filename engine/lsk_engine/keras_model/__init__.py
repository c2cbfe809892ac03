"""The task `keras`: a user's own Keras model and data."""
