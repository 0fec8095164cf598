"""Rule 13: the self-care settings."""

from typing import Any

import pytest

from account_batch import CLEAR, AccountState, ActivateOn, FieldChange
from world import TODAY, account, activates, after, changed, codes, unchanged


@pytest.mark.parametrize(("name", "value"), [("time_zone", "Asia/Kathmandu"), ("role", "boss")])
@pytest.mark.parametrize("before", [None, "Europe/Kyiv"])
def test_time_zone_and_role_are_set(name: str, value: str, before: str | None) -> None:
    """The value replaces whatever there was, and nothing follows."""
    change = changed(account(**{name: before}), **{name: value})
    assert change.fields == (FieldChange(field=name, before=before, after=value),)
    assert (change.transactions, change.effects, change.notes) == ((), (), ())


def test_the_time_zone_can_be_cleared() -> None:
    """CLEAR leaves none."""
    assert after(changed(account(time_zone="Europe/Kyiv"), time_zone=CLEAR)) == {"time_zone": None}


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({"time_zone": "Europe/Kyiv"}, {"time_zone": "Europe/Kyiv"}),
        ({"time_zone": None}, {"time_zone": CLEAR}),
        ({"role": "boss"}, {"role": "boss"}),
    ],
    ids=str,
)
def test_what_it_has_is_unchanged(fields: dict[str, Any], settings: dict[str, Any]) -> None:
    """A setting that the account has already changes nothing."""
    assert unchanged(account(**fields), **settings).notes == ()


def test_the_time_zone_is_for_display_only() -> None:
    """It affects no date: where it is another day already, the customer's date still counts."""
    change = activates(account(state=AccountState.INACTIVE), time_zone="Pacific/Kiritimati")
    assert after(change)["activation_date"] == TODAY
    assert (
        codes(account(state=AccountState.INACTIVE, time_zone="Pacific/Kiritimati"), activation=ActivateOn(TODAY))
        == set()
    )
