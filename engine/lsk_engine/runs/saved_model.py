"""Loading a file that Keras saved: it must be whole, hold no code, and have finite weights."""

import zipfile
from pathlib import Path

import keras
import numpy as np

import ls_keras.layers  # noqa: F401 - registers the layers of saved models
from ls_base.errors import FileError, LsKerasError, reason
from ls_base.safe_open import check_unpacked, open_regular


def load_model(file: Path) -> keras.Model:
    """Loads a `.keras` file, uncompiled; `Lambda` layers and other code are refused.

    Args:
        file: The file.

    Raises:
        FileError: If it is damaged, is no functional model, or holds code or weights that are not
            finite.
    """
    try:
        with open_regular(file) as content, zipfile.ZipFile(content) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            check_unpacked(file, file.stat().st_size, unpacked)
            if broken := archive.testzip():
                raise FileError(f"Expected a whole {broken} in {file}. Received: another checksum")
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except LsKerasError:
        raise
    except Exception as error:  # zipfile, Keras and HDF5 raise anything on damaged files
        raise FileError(
            f"Expected a model that Keras saved in {file}; train it again, or restore it from a "
            f"copy. Received: {reason(error)}"
        ) from error
    if not isinstance(model, keras.Model):
        raise FileError(f"Expected a model in {file}. Received: {type(model).__name__}")
    for variable in model.variables:
        values = keras.ops.convert_to_numpy(variable)
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise FileError(f"Expected finite weights in {file}. Received: NaN or infinity")
    return model
