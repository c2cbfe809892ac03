"""Whether a dotted name is that of something that can be imported."""

import importlib


def is_there(dotted: str) -> bool:
    """Returns whether a dotted name is that of a module, or of something in one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True
    return False
