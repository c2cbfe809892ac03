"""What `import ls_keras` waits for: what it waits for itself, and nothing that one call needs."""

import os
import subprocess
import sys

import pytest

HEAVY = ("matplotlib", "scipy")
# Keras imports both itself where it finds them, unless it is kept from it.
ABSENT = "import sys\nsys.modules['matplotlib'] = None\nsys.modules['scipy'] = None\n"


def imported(code: str, folder) -> set[str]:
    """Returns the modules that a fresh process has after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.slow
def test_plots_and_fits_are_imported_when_called(tmp_path):
    added = imported("import ls_keras", tmp_path) - imported("import keras", tmp_path)
    assert "ls_keras.plots.reliability_diagram" in added
    assert {name for name in added if name.partition(".")[0] in HEAVY} == set()
    # Of anybody else's only what reads files, some milliseconds.
    others = {name.partition(".")[0] for name in added} - sys.stdlib_module_names
    assert others == {"ls_base", "ls_keras", "msgspec"}


@pytest.mark.slow
@pytest.mark.tensorflow  # JAX itself needs SciPy
def test_the_library_imports_where_neither_can_be(tmp_path):
    found = imported(f"{ABSENT}import ls_keras", tmp_path)
    assert "ls_keras.calibration.scaling.vector_scaling" in found
    assert {name for name in found if name.startswith(("matplotlib.", "scipy."))} == set()
