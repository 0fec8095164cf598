"""How far a long command is, on a terminal only; and how a person ends it before it is done."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

__all__ = ["Interruption", "interruptible", "progress_bar", "waiting"]


class Interruption:
    """Whether somebody asked the run to end after what it is doing right now."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        """What apply_plan asks before every chunk."""
        return self.asked


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take the first Ctrl-C, or SIGTERM, for a request to end soon; the second one ends at once."""
    interruption = Interruption()
    handlers = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}
    # Only the main thread may set handlers, and a signal that the caller ignores stays ignored.
    here = threading.current_thread() is threading.main_thread()
    taken = {number: handler for number, handler in handlers.items() if here and handler is not signal.SIG_IGN}

    def restore() -> None:
        for number, handler in taken.items():
            signal.signal(number, handler)

    def ask(_number: int, _frame: FrameType | None) -> None:
        interruption.asked = True
        restore()

    for number in taken:
        signal.signal(number, ask)
    try:
        yield interruption
    finally:
        restore()


class _Pace(ProgressColumn):
    """How many are done of how many, how fast, and how long it will take."""

    def __init__(self, before: int, interruption: Interruption) -> None:
        super().__init__()
        self._before = before
        self._interruption = interruption

    def render(self, task: Task) -> Text:
        """The text for one moment."""
        text = f"{task.completed:,.0f} accounts"
        if task.total is not None:
            text = f"{task.completed:,.0f} of {task.total:,.0f} accounts"
            # Since the beginning: the pace of single chunks says less about how long it will take.
            pace = (task.completed - self._before) / (task.elapsed or 1)
            if pace > 0:
                minutes, seconds = divmod(int((task.total - task.completed) / pace), 60)
                text += f", {pace:,.0f}/s, {minutes}:{seconds:02} left"
        if self._interruption.asked:
            text += "; ends after this chunk, Ctrl-C again ends at once"
        return Text(text)


@contextmanager
def progress_bar(
    doing: str, done: int = 0, total: int | None = None, interruption: Interruption | None = None
) -> Iterator[Callable[[int, int], object]]:
    """What takes the number of accounts that are done and of all, and shows them while the block runs.

    Args:
        doing: What is done to them.
        done: How many were done before.
        total: Of how many; None as long as nobody knows.
        interruption: What is said while the run comes to its end.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), _Pace(done, interruption or Interruption()))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(doing, total=total, completed=done)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def waiting(doing: str) -> AbstractContextManager[object]:
    """Something that moves while the block runs."""
    return Console(stderr=True).status(doing) if sys.stderr.isatty() else nullcontext()
