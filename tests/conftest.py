"""Settings and databases shared by all tests."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, Phase, settings

from databases import BACKENDS, Databases

settings.register_profile("dev", deadline=None, max_examples=100)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, database=None)
settings.register_profile(
    "long", deadline=None, max_examples=5000, database=None, suppress_health_check=[HealthCheck.too_slow]
)
# Whether a test fails, not why: for each of thousands of mutants, with what it takes to fail it in the same way again.
settings.register_profile(
    "mutation",
    deadline=None,
    max_examples=10,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """What makes databases; everything it made is gone in the end."""
    with ExitStack() as stack:
        yield Databases(stack)


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """The URL of a fresh, empty database of each kind."""
    with databases.fresh(request.param) as url:
        yield url


@pytest.fixture(params=[backend for backend in BACKENDS if backend != "sqlite"])
def server_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """The URL of a fresh database on each server."""
    with databases.fresh(request.param) as url:
        yield url
