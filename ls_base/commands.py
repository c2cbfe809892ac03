"""Commands for people to copy, as a shell takes them."""

import shlex


def shell_command(*words: object) -> str:
    """Returns a command that a shell reads as these words: what has to be quoted is.

    Args:
        *words: The program and its arguments, such as paths.

    Example:
    >>> print(shell_command("lsk", "train", "--resume", "runs/my own"))
    lsk train --resume 'runs/my own'
    """
    return shlex.join(map(str, words))
