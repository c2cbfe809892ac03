"""A file that Keras saved, loaded if it can be trusted: whole, without code, of finite weights."""

import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

import ls_keras.layers  # noqa: F401 - registers what a saved model may hold
from ls_base.errors import FileError, LsKerasError, reason, short_repr
from ls_base.safe_open import check_unpacked, open_regular

_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


def load_model(file: Path) -> keras.Model:
    """Loads a `.keras` file, uncompiled; a `Lambda` or other code inside is refused.

    Args:
        file: The file.

    Raises:
        FileError: If it is damaged, is no functional model, or holds code or weights that are not
            finite.
    """
    _check_archive(file)
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except LsKerasError:
        raise
    except Exception as error:  # Keras and HDF5 raise whatever they stumble over
        raise FileError(
            f"Expected a model that can be loaded from {file}; train it again, or take the file "
            f"from a copy. Received: {reason(error)}"
        ) from error
    if not isinstance(model, keras.Model):
        raise FileError(f"Expected a model in {file}. Received: {type(model).__name__}")
    for variable in model.variables:
        values = keras.ops.convert_to_numpy(variable)
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise FileError(f"Expected finite weights in {file}. Received: NaN or infinity")
    return model


def _check_archive(file: Path) -> None:
    """Refuses what is no whole archive of the three files that Keras writes."""
    with open_regular(file) as content:
        try:
            with zipfile.ZipFile(content) as archive:
                members = archive.infolist()
                names = {member.filename for member in members}
                sizes = sum(member.file_size for member in members)
                climbing = [name for name in names if ".." in name or name.startswith("/")]
                if climbing or not names >= _MEMBERS or len(names) < len(members):
                    raise FileError(
                        f"Expected {', '.join(sorted(_MEMBERS))} in {file}. "
                        f"Received: {short_repr(', '.join(sorted(names)[:12]) or 'nothing')}"
                    )
                check_unpacked(file, file.stat().st_size, sizes)
                broken = archive.testzip()
        except FileError:
            raise
        except (
            OSError,
            ValueError,
            EOFError,
            zlib.error,
            zipfile.BadZipFile,
            RuntimeError,
        ) as error:
            raise FileError(
                f"Expected a model that Keras saved. Received: {file}, which is damaged: "
                f"{reason(error)}"
            ) from error
    if broken is not None:
        raise FileError(f"Expected a whole {broken} in {file}. Received: another checksum")
