"""Rule 14: the customer site."""

import pytest

from account_batch import CLEAR, FieldChange, RefusalCode
from world import account, after, changed, codes, refused, unchanged


@pytest.mark.parametrize("before", [None, "lab"])
def test_a_site_is_set(before: str | None) -> None:
    """A site of the account's customer replaces whatever there was, and nothing follows."""
    change = changed(account(site=before), site="hq")
    assert change.fields == (FieldChange(field="site", before=before, after="hq"),)
    assert (change.transactions, change.effects, change.notes) == ((), (), ())


def test_clearing_gives_the_default_site() -> None:
    """CLEAR leaves none, which is the customer's default site."""
    assert after(changed(account(site="lab"), site=CLEAR)) == {"site": None}


@pytest.mark.parametrize("customer", ["kiwi", "ghost"])
def test_a_site_of_another_customer_is_refused(customer: str) -> None:
    """The site must belong to the account's customer, whether the catalog knows that customer or not."""
    (reason,) = refused(account(customer=customer), site="hq").reasons
    assert (reason.code, reason.field, reason.detail) == (
        RefusalCode.SITE_OF_ANOTHER_CUSTOMER,
        "site",
        f'"hq" belongs to customer "acme", the account to "{customer}"',
    )


@pytest.mark.parametrize("customer", ["kiwi", "ghost"])
def test_any_account_can_go_back_to_the_default_site(customer: str) -> None:
    """CLEAR needs no site, and so collides with nothing."""
    assert codes(account(customer=customer, site="hq"), site=CLEAR) == set()


def test_the_site_that_it_has_is_unchanged() -> None:
    """The same site, or none again, changes nothing."""
    assert unchanged(account(site="hq"), site="hq").notes == ()
    assert unchanged(account(), site=CLEAR).notes == ()


def test_the_site_that_it_has_is_unchanged_though_it_is_another_customers() -> None:
    """A setting that changes nothing is dropped, even where it would not be allowed any more."""
    assert unchanged(account(customer="kiwi", site="hq"), site="hq").notes == ()
