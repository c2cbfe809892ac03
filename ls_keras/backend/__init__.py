"""Code that depends on Keras internals or on a single framework."""
