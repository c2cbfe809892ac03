"""What is kept of a run: its directory, its lock, its checkpoints, and how it is opened again."""
