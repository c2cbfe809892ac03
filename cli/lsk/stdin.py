"""What comes on stdin."""

import sys

from ls_base.errors import InputError


def read_stdin(what: str, most: int) -> bytes:
    """Returns all that comes on stdin.

    Args:
        what: What is expected there.
        most: How many bytes it may have.

    Raises:
        InputError: If stdin is closed (`<&-`), or there is more.
    """
    if sys.stdin is None:
        raise InputError(f"Expected {what} on stdin. Received: stdin is closed")
    content = sys.stdin.buffer.read(most + 1)
    if len(content) > most:
        raise InputError(
            f"Expected at most {most:,} bytes of {what} at once. Received: more on stdin"
        )
    return content
