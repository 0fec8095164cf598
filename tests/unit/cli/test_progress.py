import re
import signal

import pytest

from account_batch.cli.progress import Interruption, interruptible, progress_bar
from unit.cli.console import at_terminal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number: signal.Signals) -> None:
    """The first Ctrl-C is noted; after it the handlers are those from before."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        with interruptible() as interruption:
            assert not interruption()
            signal.raise_signal(number)
            assert interruption()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_an_ignored_signal_stays_ignored() -> None:
    """What was started with nohup goes on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as interruption:
            signal.raise_signal(signal.SIGINT)
            assert not interruption()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_bar_says_how_many_how_fast_and_how_long() -> None:
    """Once something is done there is a pace, in which what was done before has no part."""
    with at_terminal() as shown, progress_bar("applying", 4_000, 1_000_000) as on_progress:
        on_progress(5_000, 1_000_000)
    text = shown.getvalue()
    assert "applying" in text
    assert re.search(r"5,000 of 1,000,000 accounts, [0-9,]+/s, [0-9]+:[0-9]{2} left", text)


def test_a_bar_without_an_end_says_how_many() -> None:
    """As long as nobody knows how many there are, there is no pace either."""
    with at_terminal() as shown, progress_bar("importing"):
        pass
    assert "0 accounts" in shown.getvalue()


def test_a_bar_says_that_the_end_was_asked_for() -> None:
    """Who pressed Ctrl-C sees that it was heard, and what another one would do."""
    interruption = Interruption()
    with at_terminal() as shown, progress_bar("applying", 0, 10, interruption) as on_progress:
        interruption.asked = True
        on_progress(0, 10)
    assert "0 of 10 accounts; ends after this chunk, Ctrl-C again ends at once" in shown.getvalue()
