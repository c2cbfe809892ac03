"""Which GPUs are there, asked without any framework: what holds one keeps it from others."""

import os
import shutil
import subprocess

VISIBLE = "CUDA_VISIBLE_DEVICES"
_SECONDS = 30  # a driver that hangs is none


def visible_gpus() -> list[str]:
    """Returns the GPUs that a process would see, by the names that `CUDA_VISIBLE_DEVICES` takes.

    Where the variable is set it says them, as far as CUDA reads it: up to what is no name.
    Elsewhere NVIDIA's `nvidia-smi` does; where there is none of it, there is no GPU.
    """
    if VISIBLE in os.environ:
        named = [name.strip() for name in os.environ[VISIBLE].split(",")]
        ends = [i for i, name in enumerate(named) if name in ("", "-1", "NoDevFiles")]
        return named[: ends[0]] if ends else named
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in told.stdout.splitlines() if line.startswith("GPU-")]
