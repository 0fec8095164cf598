"""The demo: the whole job as somebody would type it, on sample data in a temporary folder."""

import importlib.resources
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from account_batch.cli.databases import DEFAULT, VARIABLE, opened
from account_batch.cli.output import print_text

__all__ = ["demonstrate"]

_NOW = ("--now", "2026-11-23T10:00:00Z")
_PLAN = ("--actor", "ann", "--reason", "winter cards", *_NOW)


def demonstrate(call: Callable[[list[str]], object]) -> int:
    """Run the commands of the whole job, each after it was shown.

    Args:
        call: Runs a command with its arguments.
    """
    with _apart():

        def type_in(*arguments: str) -> None:
            print_text(f"\n$ account-batch {shlex.join(arguments)}\n")
            call(list(arguments))

        def explain(text: str) -> None:
            print_text(f"\n{text}\n")

        print_text("24 calling cards of a batch are to be opened, charged a fee, and given to a distributor.\n")
        print_text(f"\n$ cat request.toml\n{Path('request.toml').read_text(encoding='utf-8')}")
        explain("The accounts go into an SQLite database, in a folder that is deleted in the end.")
        type_in("import", "accounts.csv")
        explain(
            "What would the request do to each account? Nothing is changed; a person reads this and says yes or no."
        )
        type_in("plan", "request.toml", "--catalog", "catalog.toml", *_PLAN)
        with opened(DEFAULT) as store:
            (kept,) = store.plans()
        explain("Yes. Exactly this plan is carried out, each account in one transaction with its ledger entries.")
        type_in("apply", kept.id, *_NOW)
        with opened(DEFAULT) as store:
            once = len(store.transactions(kept.id))
        explain("Again, as after a lost reply: the recorded outcomes, and nothing moves twice.")
        type_in("apply", kept.id, *_NOW)
        with opened(DEFAULT) as store:
            twice = len(store.transactions(kept.id))
        explain(f"Ledger entries: {once} after the first time, {twice} after the second.")
        type_in("status")
    return 0


@contextmanager
def _apart() -> Iterator[None]:
    """A folder of its own with the sample files, and the store that is there."""
    chosen = os.environ.pop(VARIABLE, None)
    sample = importlib.resources.files("account_batch.cli") / "demo"
    try:
        with TemporaryDirectory(prefix="account_batch_") as folder, chdir(folder):
            with importlib.resources.as_file(sample) as files:
                shutil.copytree(files, folder, dirs_exist_ok=True)
            yield
    finally:
        if chosen is not None:
            os.environ[VARIABLE] = chosen
