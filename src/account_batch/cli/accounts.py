"""The commands that bring accounts into the store, and take accounts and reports out."""

import itertools
import json as json_text
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

import attrs
from cyclopts import Parameter

from account_batch.account import Account
from account_batch.cli.databases import DEFAULT, Store, kept_plan, opened, without_passwords
from account_batch.cli.files import accounts_of, output_to, read_request
from account_batch.cli.output import print_json, print_text
from account_batch.cli.progress import progress_bar, waiting
from account_batch.cli.usage import Flag, UnfinishedError, UsageError, as_filter_option
from account_batch.codec.accounts import write_accounts
from account_batch.codec.report import dump_report, write_report
from account_batch.codec.strict import strict_converter
from account_batch.errors import FilterError, InvalidValueError
from account_batch.filters import AccountFilter, StatusFilter
from account_batch.render import accounts_in_words
from account_batch.report import Report

__all__ = ["Criteria", "export", "import_accounts"]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Criteria:
    """Which accounts are exported.

    Args:
        batch: Of this batch.
        control_numbers: With these numbers, like 1,3,8-12.
        status: In these states.
        customer: Of this customer.
        product: With this main product.
        request: All that the filter of a request means; instead of the others.
    """

    batch: str | None = None
    control_numbers: str | None = None
    status: StatusFilter = StatusFilter.ANY
    customer: str | None = None
    product: str | None = None
    request: Path | None = None

    def where(self) -> AccountFilter:
        """The filter that is meant.

        Raises:
            UsageError: A criterion makes no sense, or there are two filters.
        """
        if self.request is not None:
            if self != Criteria(request=self.request):
                raise UsageError("--request: the filter of the request says it all; leave the other criteria out")
            return read_request(self.request)[0]
        try:
            return AccountFilter(
                batch=self.batch,
                control_numbers=self.control_numbers,
                status=self.status,
                customer=self.customer,
                product=self.product,
            )
        except FilterError as error:
            raise UsageError(as_filter_option(str(error))) from None


def import_accounts(accounts: Path, /, *, store: Store = DEFAULT, json: Flag = False) -> int:
    """Add the accounts of a CSV file to the store, all of them or none; makes its tables where they are missing.

    Args:
        accounts: CSV with the field names of Account as header.
        store: The database with the accounts: a URL, or the file of an SQLite database.
        json: Print one JSON document.
    """
    counted = itertools.count()
    with progress_bar("importing") as on_progress:
        rows = accounts_of(accounts, on_progress)
        first = list(itertools.islice(rows, 1))  # A wrong file makes no database.
        with opened(store, new=True) as database:
            database.create()
            try:
                database.add(row for row, _ in zip(itertools.chain(first, rows), counted, strict=False))
            except KeyboardInterrupt:
                raise UnfinishedError("stopped; nothing was imported") from None
            except InvalidValueError as error:
                what, _, _ = str(error).partition("; put()")  # The advice is for programs.
                raise UsageError(f"{accounts}: {what}; nothing was imported") from None
    count = next(counted)
    if json:
        print_json({"imported": count, "store": without_passwords(store)})
    else:
        print_text(f"{accounts_in_words(count)} imported into {without_passwords(store)}\n")
    return 0


def export(
    *,
    store: Store = DEFAULT,
    criteria: Criteria = Criteria(),
    plan: str | None = None,
    out: Path | None = None,
    json: Flag = False,
) -> int:
    """Write accounts of the store or, with --plan, what came of the accounts of a plan, as CSV.

    Args:
        store: The database with the accounts: a URL, or the file of an SQLite database.
        criteria: Which accounts.
        plan: The id of a plan in the store, or a plan file.
        out: A file, instead of the standard output.
        json: Write JSON.
    """
    if plan is not None and criteria != Criteria():
        raise UsageError("--plan: the report is about all accounts of the plan; leave the other criteria out")
    where = criteria.where()
    with opened(store) as database, output_to(out) as file, waiting("exporting") if out else nullcontext():
        if plan is None:
            _ = database.identity  # Says what is wrong with a database of another program.
            count = _write_accounts(database.find(where), file, json=json)
        else:
            made = kept_plan(plan, database)
            outcomes = database.outcomes(made.id)
            report = Report(plan_id=made.id, counts=database.status(made.id), outcomes=outcomes, stopped=None)
            count = len(outcomes)
            if json:
                file.write(f"{dump_report(made, report)}\n")
            else:
                write_report(made, report, file)
    if out is not None:
        sys.stderr.write(f"{accounts_in_words(count)} written to {out}\n")
    return 0


def _write_accounts(accounts: Iterable[Account], file: TextIO, *, json: bool) -> int:
    """Write accounts, and say how many."""
    counted = itertools.count()
    found = (account for account, _ in zip(accounts, counted, strict=False))
    if json:
        file.writelines(_array(found))
    else:
        write_accounts(found, file)
    return next(counted)


def _array(accounts: Iterable[Account]) -> Iterator[str]:
    """A JSON array with one account a line, of which only one is in memory at a time."""
    converter = strict_converter()
    before = "[\n"
    for account in accounts:
        yield before + json_text.dumps(converter.unstructure(account), ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
