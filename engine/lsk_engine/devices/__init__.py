"""Devices: backends, distribution strategies, processes, precision and XLA.

This is the only package that sets attributes of Keras objects after they were built: patches of
Keras defects are in `lsk_engine.devices.keras_patches`, each with what makes it unnecessary, and
`lsk_engine.devices.gradient_accumulation` replaces a model's train step.
"""
