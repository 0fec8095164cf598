"""Work that other processes do, so that they can be killed, or do it at the same time.

Processes are forked from a server that has everything imported: starting one takes a few milliseconds.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import text

from account_batch import AccountFilter, ApplyPolicy, UpdateSpec, apply_plan, plan_update
from account_batch.stores.sql import SqlStore
from databases import engine
from world import CATALOG, NOW

__all__ = ["PATIENCE", "Worker", "apply", "plan", "start", "write"]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["pytest", "account_batch.stores.sql", "sqlalchemy.dialects", "psycopg", "pymysql", "tzdata"]
)
PATIENCE = 300
"""Seconds after which a worker that says nothing has failed."""


class Worker:
    """Another process, which waits until it is told to go.

    Args:
        job: A function of this module: it says ready when it is, and goes on when it is told to.
        arguments: What the job takes after its connection.
    """

    def __init__(self, job: Callable[..., object], *arguments: object, **options: object) -> None:
        self._ours, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_run, args=(theirs, job, arguments, options), daemon=True)
        self._process.start()
        theirs.close()

    def ready(self) -> None:
        """Wait until it has opened its store."""
        assert self._hear() == "ready"

    def go(self) -> None:
        """Let it begin."""
        self._ours.send("go")

    def result(self) -> Any:
        """What its job returns or raises."""
        said = self._hear()
        if isinstance(said, BaseException):
            raise said
        return said

    def result_within(self, seconds: float) -> Any:
        """What its job returns, or None if it is not done after some seconds: then it is killed, wherever it is."""
        if self._ours.poll(seconds):
            return self.result()
        self.end()
        return None

    def end(self) -> None:
        """Have no process any more."""
        self._process.kill()
        self._process.join(PATIENCE)

    def _hear(self) -> Any:
        assert self._ours.poll(PATIENCE), "the worker says nothing"
        return self._ours.recv()


def _run(
    theirs: Connection, job: Callable[..., object], arguments: tuple[object, ...], options: dict[str, object]
) -> None:
    try:
        said = job(theirs, *arguments, **options)
    except Exception as error:  # noqa: BLE001  # Whoever asked judges it.
        said = error
    theirs.send(said)


@contextmanager
def start(job: Callable[..., object], *arguments: object, **options: object) -> Iterator[Worker]:
    """A worker that is ready; it is gone in the end."""
    worker = Worker(job, *arguments, **options)
    try:
        worker.ready()
        yield worker
    finally:
        worker.end()


def _wait(parent: Connection) -> None:
    parent.send("ready")
    parent.recv()


def plan(parent: Connection, url: str, where: AccountFilter, spec: UpdateSpec) -> str:
    """Make a plan."""
    store = SqlStore(url)
    assert store.identity
    _wait(parent)
    return plan_update(store, where, spec, catalog=CATALOG, now=NOW).id


def apply(parent: Connection, url: str, plan_id: str, policy: ApplyPolicy) -> object:
    """Apply a plan."""
    store = SqlStore(url)
    loaded = store.load(plan_id)
    _wait(parent)
    return dict(apply_plan(loaded, store, now=NOW, policy=policy).counts)


def write(parent: Connection, url: str, statements: list[tuple[str, dict[str, object]]], *, once: bool) -> int:
    """Write behind the library's back, each statement in a transaction of its own, once or until told to stop.

    Returns:
        How many times all statements were run.
    """
    rounds = 0
    with engine(url) as other:
        _wait(parent)
        while not rounds or not (once or parent.poll()):
            for statement, values in statements:
                with other.begin() as connection:
                    connection.execute(text(statement), values)
            rounds += 1
    return rounds
