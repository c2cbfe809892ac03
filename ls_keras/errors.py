"""The exceptions that ls-keras raises itself."""


class LsKerasError(Exception):
    """Base of all exceptions of ls-keras; `lsk` shows it as one line and exits with code 2."""


class InputError(LsKerasError, ValueError):
    """A value, shape or file that a user passed is not what was expected.

    The message says what was expected, then `Received: ...`.
    """


class MissingExtraError(LsKerasError, ImportError):
    """A task needs an optional dependency that is not installed."""


class RunDirectoryError(LsKerasError, OSError):
    """A run directory cannot be read or written, or is no run directory."""
