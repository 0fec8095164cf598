"""What the options and arguments of all commands have in common."""

import re
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from account_batch.codec.strict import parse_instant
from account_batch.errors import AccountBatchError, FormatError

__all__ = ["Flag", "UnfinishedError", "UsageError", "as_filter_option", "as_option", "instant"]

Flag = Annotated[bool, Parameter(show_default=False)]

_NAMED = re.compile(
    "(?:policy[.])?(actor|reason|expected|at_most|stop_on_refusal|terminate|all_or_nothing|chunk_size|stop_after"
    "|stop_after_percent|canary|over_credit_limit):"
)


class UsageError(AccountBatchError):
    """Options or arguments that make no sense; nothing was touched."""


class UnfinishedError(AccountBatchError):
    """The run broke or was stopped on its way, and can be continued."""


def as_option(message: str) -> str:
    """The message, with the option where the library names its argument."""
    found = _NAMED.match(message)
    return f"--{found[1].replace('_', '-')}:{message[found.end() :]}" if found else message


def as_filter_option(message: str) -> str:
    """The message, with the option where the library names a criterion."""
    return re.sub(r"^filter\.(\w+)", lambda found: f"--{found[1].replace('_', '-')}", message)


def instant(now: str | None) -> datetime:
    """The instant that --now means.

    Raises:
        FormatError: It is none, or has no offset.
    """
    if now is None:
        return datetime.now(UTC)
    try:
        return parse_instant(now)
    except FormatError as error:
        raise FormatError(f"--now: {error}; write it like 2026-12-01T09:00:00+01:00") from None
