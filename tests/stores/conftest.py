"""Stores of every kind."""

from functools import partial

import pytest

from account_batch import MemoryStore
from databases import BACKENDS, Databases
from sameness import MakeSqlStore, MakeStore


@pytest.fixture(params=["memory", *BACKENDS])
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of store under test."""
    name: str = request.param
    return name


@pytest.fixture
def make_store(kind: str, databases: Databases) -> MakeStore:
    """What makes the store under test, of some accounts; a second store of the same test replaces the first."""
    return MemoryStore if kind == "memory" else partial(databases.store, kind)


@pytest.fixture(params=BACKENDS)
def make_sql_store(request: pytest.FixtureRequest, databases: Databases) -> MakeSqlStore:
    """What makes the store under test on every database; as above."""
    return partial(databases.store, request.param)
