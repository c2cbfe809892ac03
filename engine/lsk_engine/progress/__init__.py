"""What a person sees of long work."""

from lsk_engine.progress.live_line import Standing, clear_lines
from lsk_engine.progress.reporter import Progress, Reporter
from lsk_engine.progress.words import duration, per_second

__all__ = ["Progress", "Reporter", "Standing", "clear_lines", "duration", "per_second"]
