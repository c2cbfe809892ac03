"""Devices: backend, strategies, precision, XLA, and what differs between replicas."""
