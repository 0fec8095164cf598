"""The comparison itself runs in every test run, on few accounts; what does not depend on time must hold."""

import re
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from account_batch import MemoryStore, UpdateSpec, apply_plan, plan_update
from bench.campaign import CATALOG, CHARGE, NOW, SETTINGS, WHERE, stream_accounts
from bench.places import copied, empty
from bench.rivals import by_django, by_hand, by_orm, contents, has_django
from bench.sql import compare, fill, run

COUNT = 2_000


@pytest.fixture
def server(tmp_path: Path) -> URL:
    """Where databases are made."""
    return make_url(f"sqlite:///{tmp_path}/server.db")


@pytest.mark.parametrize("spec", [SETTINGS, CHARGE], ids=["settings", "charge"])
def test_the_bare_statements_change_the_same_rows_to_the_same_values(server: URL, spec: UpdateSpec) -> None:
    """What is compared is the same work."""
    with empty(server) as template:
        fill(template, stream_accounts(COUNT))
        before = contents(template)
        with copied(server, template) as ours, copied(server, template) as theirs:
            run(ours, spec)
            by_hand(theirs, spec)
            assert contents(ours) == contents(theirs) != before


def test_the_orms_change_the_same_rows_to_the_same_values(server: URL) -> None:
    """SQLAlchemy's ORM, and Django where it is installed."""
    with empty(server) as template:
        fill(template, stream_accounts(COUNT))
        with copied(server, template) as ours:
            run(ours, SETTINGS)
            expected = contents(ours)
        for rival in [by_orm, *([by_django] if has_django() else [])]:
            with copied(server, template) as url:
                rival(url)
                assert contents(url) == expected


@pytest.mark.parametrize("spec", [SETTINGS, CHARGE], ids=["settings", "charge"])
def test_about_half_of_the_accounts_are_changed(spec: UpdateSpec) -> None:
    """The campaign is what the targets speak about."""
    store = MemoryStore(stream_accounts(COUNT))
    plan = plan_update(store, WHERE, spec, catalog=CATALOG, now=NOW)
    assert 0.45 < len(plan.changes) / COUNT < 0.55
    assert apply_plan(plan, store, now=NOW).counts


def test_the_comparison_measures_every_target(server: URL) -> None:
    """Every row with a target has a figure."""
    figures = [figure for _, figure, target in compare(server, COUNT, rounds=1) if re.search(r"\d", target)]
    assert len(figures) == 8
    assert all(figure == "not installed" or float(figure) > 0 for figure in figures)
