"""What an experiment is told: frozen dataclasses with their defaults, and how they are read."""
