"""The ground that library and engine stand on, free of Keras: errors, files, the version."""

__version__ = "0.1.0"
