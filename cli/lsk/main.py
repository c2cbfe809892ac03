"""The `lsk` command."""


def main() -> None:
    """Runs `lsk`."""
