"""Trial: one store put through steps, each of which is held against the oracle."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

import attrs

from account_batch.decision import Outcome
from account_batch.executor import ApplyPolicy, apply_plan
from account_batch.plan import Plan
from account_batch.planner import plan_update
from account_batch.report import Report
from account_batch.store import Commit, SupportsSets
from account_batch.stores.memory import MemoryStore
from account_batch.testing.doors import Doors, MissingDoorError, Store
from account_batch.testing.judging import Complaint, Made, Run, complaints, complaints_about, complaints_about_report
from account_batch.testing.oracle import Entry, Row, Settings, Where, after, decide, means, reference_of
from account_batch.testing.plain import (
    CATALOG,
    LATER,
    NOW,
    TODAY,
    account_of,
    differences,
    differing,
    entry_of,
    filter_of,
    plain_value,
    row_of,
    said,
    shown,
    spec_of,
    stopping,
)

__all__ = ["BrokenError", "Trial"]


class _CrashError(Exception):
    """What ends a run in the middle, as if the process were gone."""


class BrokenError(AssertionError):
    """A clause of the contract that does not hold.

    Args:
        clause: Which one; the message begins with it.
        what: What was seen.
        trial: Where.
    """

    def __init__(self, clause: str, what: str, trial: "Trial") -> None:
        super().__init__(f"{clause}: {what}\n\nThe steps:\n{trial.steps}")
        self.clause = clause
        self.names = trial.names


class Trial:
    """A store and the oracle, side by side.

    Every step says in its AssertionError first which clause of the contract was broken, then what was seen, then all
    the steps that led there.
    """

    def __init__(self, doors: Doors, rows: Iterable[Row]) -> None:
        self._doors = doors
        self._rows = {one["id"]: one for one in rows if one["id"] not in doors.without}
        self._log: list[str] = []
        self._plans: list[Made] = []
        self._note(f"the accounts {shown(list(self._rows.values()))}")
        self.store: Store = doors.make([account_of(one) for one in self._rows.values()])
        if self.store is None:
            raise MissingDoorError("check_store: make_store gave None, and no store")
        self.look("reading", "an account that was added", {})

    # Steps.

    def find(self, where: Where) -> None:
        """Search, and compare with what the filter means."""
        self._note(f"find {said(where)}")
        with self._asked("find"):
            accounts = list(self.store.find(filter_of(where)))
        found = [account.id for account in accounts]
        meant = {name for name, row in self._rows.items() if means(where, row)}
        if twice := [name for name, times in Counter(found).items() if times > 1]:
            self.fail("reading", f"find gives {twice} more than once")
        if set(found) != meant:
            missing, wrong = sorted(meant - set(found)), sorted(set(found) - meant)
            self.fail("reading", f"the filter {said(where)} misses {missing}, and finds {wrong} without meaning them")
        for account in accounts:
            if (one := row_of(account)) != self._rows[account.id]:
                self.fail("reading", f"find gives {account.id!r} with {differing(one, self._rows[account.id])}")

    def plan(self, where: Where, settings: Settings) -> int:
        """Plan, compare with what the rules say, and return the number of the plan."""
        number = len(self._plans)
        self._note(f"plan {number}: {said(settings)} where {said(where)}")
        with self._asked("planning"):
            plan = plan_update(self.store, filter_of(where), spec_of(settings), catalog=CATALOG, now=NOW)
        verdicts = {
            name: decide(row, settings, TODAY, charged=self._is_charged(name, settings))
            for name, row in self._rows.items()
            if means(where, row)
        }
        planned = {change.account_id: "applied" for change in plan.changes}
        planned |= {item.account_id: "unchanged" for item in plan.unchanged}
        planned |= {item.account_id: "refused" for item in plan.refused}
        expected = {name: outcome for name, (outcome, _, _) in verdicts.items()}
        if planned != expected:
            self.fail("planning", differences(expected, planned))
        for change in plan.changes:
            row, (_, new, _) = self._rows[change.account_id], verdicts[change.account_id]
            fields = {field.field: (plain_value(field.before), plain_value(field.after)) for field in change.fields}
            if fields != {name: (row[name], value) for name, value in new.items()}:
                self.fail("planning", f"{change.account_id} is said to change {fields}, instead of {new}")
        changing: dict[str, tuple[Row, Mapping[str, Any], tuple[Entry, ...]]] = {
            change.account_id: (self._rows[change.account_id], *verdicts[change.account_id][1:])
            for change in plan.changes
        }
        self._look_at_sums(plan, where, settings)
        outcomes = {name: outcome for name, outcome in expected.items() if outcome != "applied"}
        self._plans.append(
            Made(
                name=f"plan {number}",
                plan=plan,
                where=where,
                settings=settings,
                changing=changing,
                outcomes=outcomes,
            )
        )
        self.look("planning", "an account that was only planned for", {})
        return number

    def write(self, name: str, **fields: Any) -> None:
        """Another writer changes an account."""
        if name not in self._rows:
            return
        self._note(f"another writer sets {said(fields)} of {name!r}")
        self._rows[name] = {**self._rows[name], **fields}
        with self._asked("writing as another program"):
            self._doors.put(self.store, account_of(self._rows[name]))
        if (found := self._rows_now().get(name)) != self._rows[name]:
            what = "is gone" if found is None else differing(found, self._rows[name])
            self.fail("reading", f"{name!r}, which another program wrote (write=): {what}")

    def attempt_again(self, number: int) -> None:
        """Do what a second worker does who knows nothing of the first, where the store works account by account.

        What is recorded is given back, and nothing is done.
        """
        made = self._plans[number]
        if isinstance(self.store, SupportsSets):
            return
        self._note(f"another worker attempts {made.name}, and records that all of it failed")
        targets = [target for target in made.plan.targets if target.account_id in made.changing]
        with self._asked("applying again"):
            recorded = self.store.outcomes(made.plan.id)
            found = self.store.apply(made.plan, targets, now=LATER, commit=Commit.ALWAYS)
            failed = [attrs.evolve(outcome, outcome=Outcome.FAILED, reasons=()) for outcome in found]
            kept = self.store.record(made.plan, failed)
            after = self.store.outcomes(made.plan.id)
        expected = [recorded[target.account_id] for target in targets]
        if not list(found) == list(kept) == expected or {name: after[name] for name in recorded} != dict(recorded):
            self.fail("single use", f"attempted again, {made.name} has other outcomes than were recorded")
        self.look("single use", "an account that had an outcome already", {})

    def reopen(self) -> None:
        """Begin anew with what the storage kept."""
        self._note("the store is opened again")
        identity = self.store.identity
        with self._asked("opening again"):
            self.store = self._doors.again(self.store)
        if self.store.identity != identity:
            self.fail("identity", "the store has another identity after it was opened again")
        self.look("resume", "an account after the store was opened again", {})

    def apply(
        self,
        number: int,
        *,
        stop_after_chunks: int | None = None,
        meanwhile: Callable[[], None] | None = None,
        **policy: Any,
    ) -> None:
        """Apply a plan, and compare what came of every account.

        Args:
            number: Of the plan.
            stop_after_chunks: Ask to stop after so many chunks.
            meanwhile: What others do after the first chunk.
            policy: The arguments of ApplyPolicy.
        """
        made = self._plans[number]
        again = " again" if made.outcomes.keys() & made.changing.keys() else ""
        self._note(f"apply {made.name}{again} {said(policy)}" + stopping(stop_after_chunks))
        chunks = 0

        def count(_done: int, _total: int) -> None:
            nonlocal chunks
            chunks += 1
            if chunks == 1 and meanwhile is not None:
                meanwhile()

        stops = None if stop_after_chunks is None else lambda: chunks >= stop_after_chunks
        report = self._run(made, policy, count, stops)
        found = self._outcomes(made, report)
        if stop_after_chunks == 0 and (
            early := [name for name in found if name not in made.outcomes and found[name] != "not_attempted"]
        ):
            self.fail("two plans", f"{early} have outcomes in {made.name}, of which nothing was attempted yet")
        self._judge(made, found, policy, may_stop=stop_after_chunks is not None)
        for item in report.outcomes:
            self._complain(complaints_about(made, item, self._rows[item.account_id]))
        self._take(made, found)
        self._look_at_journal(made)

    def crash(self, number: int, *, after_chunks: int, chunk_size: int) -> None:
        """Apply a plan with a process that is gone after some chunks, and open the store again.

        What was applied is then seen by the accounts themselves.
        """
        made = self._plans[number]
        self._note(f"apply {made.name} with chunks of {chunk_size}; the process is gone after {after_chunks}")
        chunks = 0

        def count(_done: int, _total: int) -> None:
            nonlocal chunks
            chunks += 1
            if chunks == after_chunks:
                raise _CrashError

        try:
            report = self._run(made, {"chunk_size": chunk_size}, count)
        except _CrashError:
            made.crashed = True
            left = [name for name in made.changing if name not in made.outcomes]
            made.perhaps_stale |= {name for name in left if self._stale(made, name) is not False}
            self.store = self._doors.again(self.store)
            found = self._seen(made)
        else:
            found = self._outcomes(made, report)
        self._judge(made, found, {}, may_stop=True)
        self._take(made, found)

    def _run(
        self,
        made: Made,
        policy: Mapping[str, Any],
        on_progress: Callable[[int, int], None],
        should_stop: Callable[[], bool] | None = None,
    ) -> Report:
        with self._asked("applying"):
            return apply_plan(
                made.plan,
                self.store,
                now=NOW,
                policy=ApplyPolicy(**policy),
                terminate=len(made.changing) if made.plan.terminates else None,
                on_progress=on_progress,
                should_stop=should_stop,
            )

    @contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        """Say with the steps what the store could not do; that a call of check_store lacks a door is no fault of it."""
        try:
            yield
        except (BrokenError, MissingDoorError, _CrashError):
            raise
        except Exception as error:
            raise BrokenError("errors", f"{what} raised {error!r}", self) from error

    # Looking.

    def _look_at_sums(self, plan: Plan, where: Where, settings: Settings) -> None:
        """What a store that works on sets adds up itself, against the same plan in memory."""
        if not isinstance(self.store, SupportsSets) or any(self._is_charged(name, settings) for name in self._rows):
            return
        memory = MemoryStore(account_of(one) for one in self._rows.values())
        other = plan_update(memory, filter_of(where), spec_of(settings), catalog=CATALOG, now=NOW)
        for name in ("totals", "warnings", "absent"):
            if (found := getattr(plan, name)) != (should := getattr(other, name)):
                self.fail("planning", f"{name} are {found}, and not {should}")

    def look(self, clause: str, whom: str, outcomes: Mapping[str, str]) -> None:
        """Compare all accounts, and the ledger entries of all plans, with the oracle.

        Args:
            clause: What is broken if an account is not as it should be.
            whom: What such an account is.
            outcomes: What just came of some accounts, which are then called so.
        """
        found = self._rows_now()
        if found.keys() != self._rows.keys():
            missing, extra = sorted(self._rows.keys() - found.keys()), sorted(found.keys() - self._rows.keys())
            self.fail(clause if not outcomes else "nothing else", f"{missing} are gone, and {extra} came")
        for name, row in self._rows.items():
            if found[name] != row:
                broken, who = clause, whom
                if outcomes:
                    broken, who = _CLAUSES.get(outcomes.get(name, ""), _NOT_MEANT)
                self.fail(broken, f"{who}: {name!r}: {differing(found[name], row)}")
        for made in self._plans:
            self._look_at_ledger(made)

    def _rows_now(self) -> dict[str, Row]:
        """What the store holds."""
        with self._asked("reading"):
            rows = [row_of(account) for account in self._doors.accounts(self.store)]
        if twice := [name for name, times in Counter(row["id"] for row in rows).items() if times > 1]:
            self.fail("reading", f"{twice} are there more than once")
        return {row["id"]: row for row in rows}

    def _entries(self, made: Made) -> list[Any]:
        with self._asked("reading the ledger"):
            return self._doors.entries(self.store, made.plan.id)

    def _look_at_ledger(self, made: Made) -> None:
        booked = Counter((entry.account_id, *entry_of(entry)) for entry in self._entries(made))
        expected = Counter(
            (name, *entry)
            for name, (_, _, due) in made.changing.items()
            if made.outcomes.get(name) == "applied"
            for entry in due
        )
        if booked != expected:
            extra, missing = list((booked - expected).elements()), list((expected - booked).elements())
            self.fail("ledger", f"{made.name} booked {extra} beyond what it should, and lacks {missing}")

    def _look_at_journal(self, made: Made) -> None:
        """What a store that keeps plans says of one that was applied."""
        if not hasattr(self.store, "load") or not made.outcomes.keys() & made.changing.keys():
            return
        with self._asked("load"):
            kept = self.store.load(made.plan.id)
            changes = list(kept.changes)
        if (kept.digest, changes) != (made.plan.digest, list(made.plan.changes)):
            self.fail("journal", f"{made.name} is another one when it is loaded")

    def fail(self, clause: str, what: str) -> NoReturn:
        """Say what is broken."""
        raise BrokenError(clause, what, self)

    @property
    def steps(self) -> str:
        """What was done so far, a line each."""
        return "\n".join(f"  {number}. {step}" for number, step in enumerate(self._log, 1))

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of all accounts."""
        return tuple(self._rows)

    # Judging.

    def _is_charged(self, name: str, settings: Settings) -> bool:
        reference = reference_of(settings)
        return reference is not None and any(
            reference_of(made.settings) == reference and made.outcomes.get(name) == "applied" and name in made.changing
            for made in self._plans
        )

    def _outcomes(self, made: Made, report: Report) -> dict[str, str]:
        """The outcomes of a report, which have to add up."""
        self._complain(complaints_about_report(made, report, self._rows))
        return {item.account_id: item.outcome.value for item in report.outcomes}

    def _seen(self, made: Made) -> dict[str, str]:
        """What came of the accounts after a crash, by what they are now."""
        rows = self._rows_now()
        found = dict(made.outcomes)
        for name, (then, new, _) in made.changing.items():
            if name not in found:
                applied = rows.get(name) == after(self._rows[name], then, new)
                found[name] = "applied" if applied and self._stale(made, name) is not True else "not_attempted"
        return found

    def _stale(self, made: Made, name: str) -> bool | None:
        return made.is_stale(name, self._rows, charged=self._is_charged(name, made.settings))

    def _judge(self, made: Made, found: Mapping[str, str], policy: Mapping[str, Any], *, may_stop: bool) -> None:
        """Whether every outcome is one that the account may have."""
        run = Run(
            made=made,
            found=found,
            booked={entry.account_id for entry in self._entries(made)},
            rows=self._rows,
            stale=partial(self._stale, made),
            policy=policy,
            may_stop=may_stop,
        )
        self._complain(complaints(run))

    def _complain(self, found: Iterable[Complaint]) -> None:
        for clause, what in found:
            self.fail(clause, what)

    def _take(self, made: Made, found: Mapping[str, str]) -> None:
        """Let the oracle follow, and compare."""
        fresh = {name: outcome for name, outcome in found.items() if name not in made.outcomes}
        for name, outcome in fresh.items():
            if outcome == "not_attempted":
                continue
            made.outcomes[name] = outcome
            if outcome == "applied":
                then, new, _ = made.changing[name]
                self._rows[name] = after(self._rows[name], then, new)
        known = {name: "recorded" for name in found if name not in fresh and name in made.changing}
        self.look("applying", "", {**dict.fromkeys(found, ""), **known, **fresh})

    def _note(self, step: str) -> None:
        self._log.append(step)


_NOT_MEANT = ("nothing else", "an account that was not meant")
_CLAUSES = {
    "applied": ("applying", "an account that is said to be applied"),
    "recorded": ("single use", "an account that had an outcome already"),
    "stale": ("staleness", "an account that is said to be stale"),
    "failed": ("atomicity", "an account that is said to have failed"),
    "not_attempted": ("atomicity", "an account that is said to be not attempted"),
    "refused": ("refusals", "an account that was refused"),
    "unchanged": ("nothing else", "an account that had it all already"),
}
