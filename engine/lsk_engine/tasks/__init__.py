"""What a task is, how it is found, and how its classes are named."""
