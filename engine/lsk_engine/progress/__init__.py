"""Messages and progress of long work."""

from lsk_engine.progress.format import duration as duration
from lsk_engine.progress.format import estimate as estimate
from lsk_engine.progress.format import per_second as per_second
from lsk_engine.progress.format import wrap_message as wrap_message
from lsk_engine.progress.live_line import ProgressState as ProgressState
from lsk_engine.progress.live_line import clear_lines as clear_lines
from lsk_engine.progress.reporter import Progress as Progress
from lsk_engine.progress.reporter import Reporter as Reporter
