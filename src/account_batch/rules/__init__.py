"""The rules of DESIGN.md section 5: one file per section of the panel, and here the list of them in order."""

from collections.abc import Iterator

from account_batch.decision import Decision
from account_batch.questions import Facts, Question, Value
from account_batch.rules import balance, dates, distributor, ivr, product, self_care, site, status
from account_batch.rules.draft import Draft, Request

__all__ = ["Request", "decide", "questions"]

_SECTIONS = (status, balance, dates, product, ivr, self_care, site, distributor)

# What makes a planned account stale whatever the rules read (DESIGN.md section 2).
_IDENTITY = (Value("batch"), Value("customer"), Value("state"))


def questions(request: Request) -> Iterator[Question]:
    """Yield, each once, every question that deciding this request may ask."""
    seen = dict.fromkeys(_IDENTITY)
    seen.update(dict.fromkeys(question for section in _SECTIONS for question in section.questions(request)))
    yield from seen


def decide(facts: Facts, request: Request) -> Decision:
    """Decide what becomes of all accounts with these facts.

    Depends on nothing but the request and the facts that it reads. Batch, customer and state are always read.
    """
    for question in _IDENTITY:
        facts[question]
    draft = Draft(request, facts)
    for section in _SECTIONS:
        section.decide(draft)
    return draft.decision()
