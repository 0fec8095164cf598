"""The status: terminated is final (rule 1); blocking, unblocking, terminating (rule 2)."""

from collections.abc import Iterator
from typing import assert_never

from account_batch.account import AccountState
from account_batch.decision import EffectKind, RefusalCode
from account_batch.questions import Question, Value
from account_batch.rules.draft import Draft, Request
from account_batch.spec import KEEP, StatusChange

__all__ = ["decide", "questions"]


def questions(request: Request) -> Iterator[Question]:
    """Yield what the section may ask."""
    yield Value("state")
    if request.spec.status in {StatusChange.BLOCKED, StatusChange.UNBLOCKED}:
        yield Value("blocked")


def decide(draft: Draft) -> None:
    """Decide the section."""
    if draft.state is AccountState.CLOSED:
        draft.refuse(RefusalCode.ACCOUNT_TERMINATED, "state", "closed, which is final")
        return
    change = draft.spec.status
    if change is KEEP:
        return
    match change:
        case StatusChange.BLOCKED:
            draft.assign("blocked", True)
        case StatusChange.UNBLOCKED:
            draft.assign("blocked", False)
        case StatusChange.TERMINATED:
            draft.assign("state", AccountState.CLOSED)
            draft.affect(EffectKind.TERMINATED)
        case _:
            assert_never(change)
