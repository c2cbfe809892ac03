"""Settings that name a user's code, `FILE.py:function`, and which code is trusted to run.

A run directory may come from somebody else, and so may its `config.json`. A function that the user
names on the command line is recorded as trusted. A function that a stored configuration names runs
only if it was recorded before: the same function of a file with the same path.
"""

import dataclasses
import functools
import hashlib
import importlib
import importlib.machinery
import os
import sys
import sysconfig
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ls_base.errors import FileError, InputError, reason
from ls_base.files import append_line, wrap_os_errors
from ls_base.safe_open import expand_user, is_regular, read_bytes

_CODE = "code"
_NO_MODULES = ("python", "tfds")  # prefixes of other names, `python:NAME` and `tfds:NAME`
_MOST_BYTES = 1 << 24  # largest file with code
# Start of the paths of this module, of Python and of installed packages: not the user's code.
_NOT_USER_CODE = (
    *(__file__, "<frozen"),
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def code_field(default: str = "") -> Any:
    """Returns the field of a settings class that may name code.

    `lsk_engine.settings.resolving.resolve_config` records the code as trusted.

    Args:
        default: The default.
    """
    return dataclasses.field(default=default, metadata={_CODE: True})


def is_code(field: dataclasses.Field) -> bool:
    """Returns whether a field may name code: see `code_field`."""
    return bool(field.metadata.get(_CODE))


@dataclasses.dataclass(frozen=True)
class NamedCode:
    """A function that a setting names.

    Attributes:
        module: A file's path, or a dotted module.
        function: A name in it.
    """

    module: str
    function: str

    @classmethod
    def read(cls, text: str) -> "NamedCode | None":
        """Parses `FILE.py:function` or `module:function`; returns `None` for anything else.

        Args:
            text: The setting.

        Example:
        >>> NamedCode.read("keras.datasets.mnist:load_data")
        NamedCode(module='keras.datasets.mnist', function='load_data')
        >>> NamedCode.read("digits.npz"), NamedCode.read("tfds:mnist")
        (None, None)
        """
        module, _, function = text.rpartition(":")
        dotted = all(part.isidentifier() for part in module.split("."))
        dotted = dotted and module not in _NO_MODULES
        if not function.isidentifier() or not (module.endswith(".py") or dotted):
            return None
        return cls(module, function)

    @property
    def is_file(self) -> bool:
        """Whether it is the function of a file, not of a module."""
        return self.module.endswith(".py")

    def absolute(self) -> "NamedCode":
        """Returns the same with the file's absolute path."""
        if not self.is_file:
            return self
        return dataclasses.replace(self, module=str(expand_user(self.module).absolute()))

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"

    def content(self) -> bytes:
        """Returns the content of the file, or of the module's file, without importing it.

        Raises:
            InputError: If there is no such file or module.
        """
        path = Path(self.module) if self.is_file else _file_of(self.module)
        if path is None or not is_regular(path):
            raise InputError(
                f"Expected {self} to name a file or module with code. Received: no such "
                + ("file" if self.is_file else "module that can be imported from here")
            )
        return read_bytes(path, max_bytes=_MOST_BYTES, error=InputError)

    def sha256(self) -> str:
        """Returns the SHA-256 of the file's content.

        Raises:
            InputError: As `content`.
        """
        return hashlib.sha256(self.content()).hexdigest()

    def load(self) -> Callable[..., Any]:
        """Imports the file or module, once for each content, and returns the function.

        A file can import modules beside it, as a script can.

        Raises:
            InputError: In one line, if the import fails or the user has not named the code.
        """
        if str(self) not in _read_trusted():
            raise InputError(
                "Expected code that you have named yourself, with --model, --data or --set: a "
                f"run's config.json may come from somebody else. Received: {self}"
            )
        return _loaded(self, self.content())

    def call(self, expected: str) -> Any:
        """Calls the function without arguments.

        Args:
            expected: The expected result, for the message.

        Raises:
            InputError: In one line, if it raises anything; and as `load`.
        """
        return call_user_code(self.load(), str(self), expected)


def call_user_code(function: Callable[[], Any], name: str, expected: str) -> Any:
    """Calls a user's function.

    Args:
        function: The function.
        name: Its name, for the message.
        expected: The expected result, for the message.

    Raises:
        InputError: In one line, if it raises anything.
    """
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise _user_error(f"Expected {name} to return {expected}", error) from error


def trust_code(text: str) -> None:
    """Records that the user has named this code; does nothing if the text names no code.

    Args:
        text: A setting.

    Raises:
        InputError: If there is no such file or module.
        FileError: If the record can't be written.
    """
    named = NamedCode.read(text)
    if named is None:
        return
    named = named.absolute()
    named.content()
    if str(named) in _read_trusted():
        return
    file = _trusted_file()
    try:
        with wrap_os_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        append_line(file, str(named))
    except FileError as error:
        raise FileError(f"{error}; set XDG_STATE_HOME to a folder of yours") from error


def _read_trusted() -> set[str]:
    file = _trusted_file()
    return set(read_bytes(file).decode().splitlines()) if is_regular(file) else set()


def _trusted_file() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "ls-keras" / "own-code"


def _file_of(module: str) -> Path | None:
    """Returns a module's file without importing anything, the packages that it is in included."""
    path = None
    for part in module.split("."):
        spec = importlib.machinery.PathFinder.find_spec(part, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return None if spec is None or spec.origin is None else Path(spec.origin)


@functools.lru_cache
def _loaded(named: NamedCode, content: bytes) -> Callable[..., Any]:
    try:
        module = _imported(named, content)
    except (Exception, SystemExit) as error:
        raise _user_error(f"Expected {named.module} to be importable", error) from error
    function = getattr(module, named.function, None)
    if not callable(function):
        own = [
            name
            for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module.__name__
        ]
        raise InputError(
            f"Expected a function {named.function!r} in {named.module}. "
            f"Received: {', '.join(own[:12]) or 'no function'}"
        )
    return function


def _imported(named: NamedCode, content: bytes):
    if not named.is_file:
        return importlib.import_module(named.module)
    file = Path(named.module)
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))  # as for a script
    name = f"lsk_own_{file.stem}_{hashlib.sha256(content).hexdigest()[:12]}"
    module = types.ModuleType(name)
    module.__file__ = named.module
    sys.modules[name] = module  # dataclasses look for it there
    try:
        exec(compile(content, named.module, "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _user_error(expected: str, error: BaseException) -> InputError:
    """Returns an error of the user's code in one line, with file and line number."""
    where = ""
    frames = traceback.extract_tb(error.__traceback__)
    own = next((f for f in reversed(frames) if not f.filename.startswith(_NOT_USER_CODE)), None)
    if own is not None:
        where = f" (line {own.lineno} of {own.filename})"
    elif isinstance(error, SyntaxError):
        where = f" (line {error.lineno} of {error.filename})"
    return InputError(f"{expected}. Received: {type(error).__name__}: {reason(error)}{where}")
