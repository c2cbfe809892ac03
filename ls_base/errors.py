"""The exceptions of ls-keras, and the parts of their messages."""

import difflib
import errno
import re
import shlex
from collections.abc import Iterable

_MAX_REPR, _MAX_REASON, _MAX_MESSAGE = 80, 200, 1000  # characters
_MAX_NAMES = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class LsKerasError(Exception):
    """Base of all exceptions of ls-keras; `lsk` shows it as one line and exits with its code.

    Args:
        message: The message. Line breaks and control characters, as a path may contain them, become
            "?", and of more than 1,000 characters the middle is left out.

    Attributes:
        exit_code: The exit code of `lsk`: 2, unless a subclass sets another.
    """

    exit_code = 2

    def __init__(self, message: object = ""):
        text = _CONTROL.sub("?", str(message))
        if len(text) > _MAX_MESSAGE:
            text = f"{text[: _MAX_MESSAGE // 2]}…{text[-_MAX_MESSAGE // 3 :]}"
        super().__init__(text)


class InputError(LsKerasError, ValueError):
    """Raised for a wrong value, shape or file of the user: "Expected …. Received: …"."""


class MissingExtraError(LsKerasError, ImportError):
    """Raised if a task needs an optional dependency that is not installed."""


class FileError(LsKerasError, OSError):
    """Raised if a file or folder can't be read or written, or holds something else.

    The message names the path.
    """


def short_repr(value: object) -> str:
    """Returns the `repr` of a value for an error message, cut after 80 characters.

    Args:
        value: Any value.

    Example:
    >>> short_repr("a" * 1000)[-24:]
    'aaaa… (1,002 characters)'
    """
    text = repr(value)
    return text if len(text) <= _MAX_REPR else f"{text[:_MAX_REPR]}… ({len(text):,} characters)"


def reason(error: BaseException) -> str:
    """Returns the message of another library's exception as one short line.

    Args:
        error: The exception; of an error of the system, the path is left out.

    Example:
    >>> reason(OSError(28, "No space left on device", "a.json"))
    'No space left on device'
    >>> reason(KeyError())
    'KeyError'
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror + (" (a loop of links)" if error.errno == errno.ELOOP else "")
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = "".join(letter if letter.isprintable() else "?" for letter in line)
    return (text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}…") or type(error).__name__


def suggest(received: str, known: Iterable[str]) -> str:
    """Returns the end of an error message about an unknown name: near matches or all names.

    Args:
        received: The unknown name, dotted or not.
        known: The valid names.

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
    more = f", … ({len(names)} in all)" if len(names) > _MAX_NAMES else ""
    text = ", ".join(names[:_MAX_NAMES])
    return f"{label}: {text}{more}. Received: {short_repr(received)}"


def shell_command(*words: object) -> str:
    """Returns a command line with these words, quoted for a shell.

    Args:
        *words: The program and its arguments, such as paths.

    Example:
    >>> print(shell_command("lsk", "train", "--resume", "runs/my own"))
    lsk train --resume 'runs/my own'
    """
    return shlex.join(map(str, words))
