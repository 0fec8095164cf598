"""IVR settings (rule 12)."""

from collections.abc import Iterator

from account_batch.questions import Equals, IsSet, Question, Value
from account_batch.rules.draft import Draft, Request
from account_batch.spec import CLEAR, KEEP

__all__ = ["decide", "questions"]


def questions(request: Request) -> Iterator[Question]:
    """Yield what the section may ask."""
    spec = request.spec
    if spec.associated_number is CLEAR:
        yield IsSet("associated_number")
    elif spec.associated_number is not KEEP:
        yield Equals("associated_number", spec.associated_number)
    if spec.unified_messaging is not KEEP:
        yield Value("unified_messaging")
    if spec.ivr_language is not KEEP:
        yield Value("ivr_language")


def decide(draft: Draft) -> None:
    """Decide the section."""
    spec = draft.spec
    if spec.associated_number is not KEEP:
        number = None if spec.associated_number is CLEAR else spec.associated_number
        draft.assign_many_valued("associated_number", number)
    if spec.unified_messaging is not KEEP:
        draft.assign("unified_messaging", spec.unified_messaging)
    if spec.ivr_language is not KEEP:
        draft.assign("ivr_language", None if spec.ivr_language is CLEAR else spec.ivr_language)
