"""Self-care settings (rule 13)."""

from collections.abc import Iterator

from account_batch.questions import Question, Value
from account_batch.rules.draft import Draft, Request
from account_batch.spec import CLEAR, KEEP

__all__ = ["decide", "questions"]


def questions(request: Request) -> Iterator[Question]:
    """Yield what the section may ask."""
    if request.spec.time_zone is not KEEP:
        yield Value("time_zone")
    if request.spec.role is not KEEP:
        yield Value("role")


def decide(draft: Draft) -> None:
    """Decide the section."""
    spec = draft.spec
    if spec.time_zone is not KEEP:
        draft.assign("time_zone", None if spec.time_zone is CLEAR else spec.time_zone)
    if spec.role is not KEEP:
        draft.assign("role", spec.role)
