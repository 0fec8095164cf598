"""Rule 12: the IVR settings."""

from typing import Any

import pytest

from account_batch import CLEAR, FieldChange, UnifiedMessaging
from world import account, after, changed, unchanged


@pytest.mark.parametrize("before", [None, "18005559999"])
def test_an_associated_number_is_set(before: str | None) -> None:
    """The number replaces whatever there was, and nothing follows."""
    change = changed(account(associated_number=before), associated_number="18005551234")
    assert change.fields == (FieldChange(field="associated_number", before=before, after="18005551234"),)
    assert (change.transactions, change.effects, change.notes) == ((), (), ())


def test_the_language_is_set() -> None:
    """The preferred language replaces another."""
    assert after(changed(account(ivr_language="la"), ivr_language="uk")) == {"ivr_language": "uk"}


@pytest.mark.parametrize("name", ["associated_number", "ivr_language"])
def test_number_and_language_can_be_cleared(name: str) -> None:
    """CLEAR leaves none."""
    assert after(changed(account(**{name: "en"}), **{name: CLEAR})) == {name: None}


@pytest.mark.parametrize("before", UnifiedMessaging)
@pytest.mark.parametrize("wanted", UnifiedMessaging)
def test_unified_messaging_has_three_states(before: UnifiedMessaging, wanted: UnifiedMessaging) -> None:
    """By product, yes and no are three settings: by product is not the same as what the product says."""
    target = account(unified_messaging=before)
    if before is wanted:
        assert unchanged(target, unified_messaging=wanted).notes == ()
    else:
        assert after(changed(target, unified_messaging=wanted)) == {"unified_messaging": wanted}


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({"associated_number": "18005551234"}, {"associated_number": "18005551234"}),
        ({"associated_number": None}, {"associated_number": CLEAR}),
        ({"ivr_language": "en"}, {"ivr_language": "en"}),
        ({"ivr_language": None}, {"ivr_language": CLEAR}),
    ],
    ids=str,
)
def test_what_it_has_is_unchanged(fields: dict[str, Any], settings: dict[str, Any]) -> None:
    """A setting that the account has already changes nothing."""
    assert unchanged(account(**fields), **settings).notes == ()


def test_only_what_differs_is_written() -> None:
    """Of several settings those that change nothing are dropped."""
    target = account(associated_number="18005551234", ivr_language="uk")
    change = changed(
        target, associated_number="18005551234", ivr_language="en", unified_messaging=UnifiedMessaging.BY_PRODUCT
    )
    assert after(change) == {"ivr_language": "en"}
