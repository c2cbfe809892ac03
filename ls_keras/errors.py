"""The exceptions that ls-keras raises itself."""

from ls_base.errors import FileError, InputError, LsKerasError, MissingExtraError

__all__ = ["FileError", "InputError", "LsKerasError", "MissingExtraError"]
