"""The exceptions that ls-keras raises itself, and how their messages end."""

import difflib
import errno
import shlex
from collections.abc import Iterable

_SHOWN, _REASON = 80, 200  # characters


class LsKerasError(Exception):
    """Base of all exceptions of ls-keras; `lsk` shows it as one line and exits with its code.

    Attributes:
        exit_code: 2, if a subclass says nothing else.
    """

    exit_code = 2


class InputError(LsKerasError, ValueError):
    """A value, shape or file that a user passed is not what was expected.

    The message says what was expected, then `Received: ...`.
    """


class MissingExtraError(LsKerasError, ImportError):
    """A task needs an optional dependency that is not installed."""


class FileError(LsKerasError, OSError):
    """A file or folder (a run directory, say) can't be read or written, or isn't what it should be.

    The message names the path.
    """


def short_repr(value: object) -> str:
    """Returns a value as the end of an error shows it: its `repr` on one line, cut if it is long.

    Args:
        value: What was received.

    Example:
    >>> short_repr("a" * 1000)[-24:]
    'aaaa… (1,002 characters)'
    """
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def reason(error: BaseException) -> str:
    """Returns what somebody else's exception says, as the end of an error: one short line.

    Args:
        error: Of the system, without the path, which our message names; or of any library.

    Example:
    >>> reason(OSError(28, "No space left on device", "a.json"))
    'No space left on device'
    >>> reason(KeyError())
    'KeyError'
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (" (a circle of links)" if error.errno == errno.ELOOP else "")
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = "".join(letter if letter.isprintable() else "?" for letter in line)
    return (text if len(text) <= _REASON else f"{text[:_REASON]}…") or type(error).__name__


def suggest(received: str, known: Iterable[str]) -> str:
    """Returns the end of an error message: near matches, all that is known, what was received.

    Args:
        received: An unknown name, dotted or not.
        known: The names that there are.

    Example:
    >>> suggest("aplha", ["training.alpha", "training.seed"])
    "Near matches: training.alpha. Received: 'aplha'"
    """
    known = list(known)
    by_end = {k.rpartition(".")[2]: k for k in known}
    end = received.rpartition(".")[2]
    matches = difflib.get_close_matches(received, known, n=3)
    matches += [by_end[m] for m in difflib.get_close_matches(end, by_end, n=3)]
    names = list(dict.fromkeys(matches)) or known
    label = "Near matches" if matches else "Known"
    return f"{label}: {', '.join(names)}. Received: {short_repr(received)}"


def shell_command(*words: object) -> str:
    """Returns a command line with these words, quoted for a shell.

    Args:
        *words: The program and its arguments, such as paths.

    Example:
    >>> print(shell_command("lsk", "train", "--resume", "runs/my own"))
    lsk train --resume 'runs/my own'
    """
    return shlex.join(map(str, words))
