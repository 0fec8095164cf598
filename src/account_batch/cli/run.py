"""Running one command: what goes wrong becomes one line and an exit code."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import CycloptsError

from account_batch.cli.app import build_app
from account_batch.cli.databases import without_passwords
from account_batch.cli.usage import UnfinishedError, as_option
from account_batch.errors import AccountBatchError, StoreError, StoreLayoutError
from account_batch.render import printable

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Run a command; whatever is wrong is said in one line, without a traceback.

    Returns:
        0 done, 1 some accounts were not applied, 2 wrong request or usage, 3 the run broke or was stopped.
    """
    with _showing_every_letter():
        try:
            code = build_app()(list(arguments), exit_on_error=False, print_error=False)
            sys.stdout.flush()
        except CycloptsError as error:
            return _complain(f"{error} See account-batch --help.", 2)
        except StoreLayoutError as error:
            return _complain(str(error), 2)
        except (StoreError, UnfinishedError) as error:
            return _complain(str(error), 3)
        except AccountBatchError as error:
            return _complain(as_option(str(error)), 2)
        except KeyboardInterrupt as error:
            return _complain(str(error) or "stopped", 3)
        except BrokenPipeError:
            # Who reads the output has seen enough, and Python must not complain when it closes the stream.
            _drop_output()
            return 0
        except ModuleNotFoundError:
            raise
        except OSError as error:
            _drop_output()
            return _complain(f"the output cannot be written: {error.strerror or error}", 3)
        except Exception as error:  # noqa: BLE001  # A person at a terminal gets a line, whatever happens.
            return _complain(f"unexpected {type(error).__name__}, a defect of this program: {error}", 3)
    # Help and version are answered by the parser itself, and so is a call without a command.
    return code if isinstance(code, int) else 0 if arguments else 2


@contextmanager
def _showing_every_letter() -> Iterator[None]:
    """What the output cannot show is escaped rather than an error; afterwards the streams are as they were."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            stream.reconfigure(errors=errors)


def _drop_output() -> None:
    """Send what is still on its way to the output nowhere."""
    with contextlib.suppress(OSError, ValueError):  # An output in memory has no file, and keeps nothing back.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"account-batch: {printable(without_passwords(message))}\n")
    return code
