"""The customer site (rule 14)."""

from collections.abc import Iterator

from account_batch.decision import RefusalCode
from account_batch.questions import Question, Value
from account_batch.rules.draft import Draft, Request
from account_batch.spec import CLEAR, KEEP

__all__ = ["decide", "questions"]


def questions(request: Request) -> Iterator[Question]:
    """Yield what the section may ask."""
    if request.spec.site is not KEEP:
        yield Value("customer")
        yield Value("site")


def decide(draft: Draft) -> None:
    """Decide the section."""
    wanted = draft.spec.site
    if wanted is KEEP:
        return
    if wanted is CLEAR or wanted == draft.before("site"):
        draft.assign("site", None if wanted is CLEAR else wanted)
        return
    site = draft.catalog.site(wanted)
    assert site is not None  # The planner refuses a spec with an unknown site.
    customer = draft.before("customer")
    if site.customer != customer:
        detail = f'"{site.id}" belongs to customer "{site.customer}", the account to "{customer}"'
        draft.refuse(RefusalCode.SITE_OF_ANOTHER_CUSTOMER, "site", detail)
    else:
        draft.assign("site", site.id)
