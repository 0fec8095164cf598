"""Plans as JSON with a format version, readable for ever, and with a checksum over all that they say.

Where a database holds the targets of a plan, its file holds one example for each refusal code instead.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NoReturn, TypeVar

import attrs

from account_batch.codec.request import read_filter, read_spec, write_filter, write_spec
from account_batch.codec.strict import parse_json, strict_converter, structure
from account_batch.decision import EffectKind, Outcome, RefusalCode, TransactionKind
from account_batch.errors import AccountBatchError, DigestMismatchError, FormatError, PlanError, PlanFormatError
from account_batch.filters import ControlNumbers
from account_batch.frozen import FrozenMapping
from account_batch.money import Money
from account_batch.plan import DistributorTotal, Group, HeldTargets, Plan, Target, Targets, Totals, plan_digest
from account_batch.questions import Answer

__all__ = ["TargetsElsewhere", "dump_plan", "load_plan", "totals_document"]

_FORMAT = "account_batch plan"
_VERSION = 1

_PlanType = TypeVar("_PlanType", bound=Plan)


@attrs.frozen(kw_only=True)
class _Amount:
    """A total of one kind of transaction in a file."""

    kind: TransactionKind
    amount: Money


@attrs.frozen(kw_only=True)
class _Totals:
    """The totals in a file: enums by name, money with its currency."""

    counts: dict[str, int]
    refusals: dict[str, int]
    effects: dict[str, int]
    money: tuple[_Amount, ...]
    distributors: dict[str, DistributorTotal]
    opening_difference: tuple[Money, ...]
    stranded_funds: tuple[Money, ...]
    stranded_debts: tuple[Money, ...]
    registered: int


@attrs.frozen(kw_only=True)
class _File:
    """A plan file, in full; targets are [id, control number, group, overwritten values], or examples of them."""

    format: str
    version: int
    id: str
    digest: str
    where: Any
    spec: Any
    planned_at: datetime
    valid_until: datetime | None
    actor: str
    reason: str
    warnings: tuple[str, ...]
    totals: _Totals
    absent: str | None
    store: str
    zone_data: str
    groups: tuple[Group, ...]
    targets: Any
    checksum: str


def dump_plan(plan: Plan) -> str:
    """The whole plan as JSON."""
    converter = strict_converter()
    pack = converter.get_unstructure_hook(Answer)

    def written(target: Target) -> list[object]:
        return [target.account_id, target.control_number, target.group, [pack(value) for value in target.before]]

    targets: object = [written(target) for target in plan.targets] if isinstance(plan.targets, HeldTargets) else None
    if targets is None:
        targets = {"examples": {code.name: written(target) for code, target in _examples(plan).items()}}
    file = _File(
        format=_FORMAT,
        version=_VERSION,
        where=write_filter(plan.where),
        spec=None if plan.spec is None else write_spec(plan.spec),
        totals=_write_totals(plan.totals),
        absent=None if plan.absent is None else str(plan.absent),
        targets=targets,
        checksum="",
        **{name: getattr(plan, name) for name in _SAME},
    )
    document: dict[str, Any] = converter.unstructure(file)
    document["checksum"] = _checksum(document)
    return json.dumps(document, ensure_ascii=False)


def _examples(plan: Plan) -> dict[RefusalCode, Target]:
    """One target for each refusal code."""
    refused: dict[RefusalCode, set[int]] = defaultdict(set)
    for number, group in enumerate(plan.groups):
        for reason in group.decision.refusals:
            assert reason.code is not None  # A reason without one is of applying.
            refused[reason.code].add(number)
    return {code: plan.targets.example(code, groups) for code, groups in refused.items()}


_SAME = ("id digest planned_at valid_until actor reason warnings store zone_data groups").split()


def load_plan(kind: type[_PlanType], text: str) -> _PlanType:
    """The plan that dump_plan wrote.

    Raises:
        PlanFormatError: The text is no plan of a known format version.
        DigestMismatchError: The content is not what was written.
    """
    try:
        document = parse_json(text)
    except FormatError as error:
        raise PlanFormatError(f"plan: {error}") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise PlanFormatError(f'plan: this is no plan; its "format" would be "{_FORMAT}"')
    version = document.get("version")
    if type(version) is not int or version != _VERSION:
        raise PlanFormatError(f"plan.version: {version!r} is unknown; this release reads version {_VERSION}")
    if document.get("checksum") != _checksum(document):
        raise DigestMismatchError("plan: the content is not what was written; plan again")
    try:
        return _build(kind, structure(document, _File, "plan"))
    except DigestMismatchError:
        raise
    except (AccountBatchError, KeyError, TypeError, ValueError, IndexError) as error:
        raise PlanFormatError(f"plan: {error}") from None


def _checksum(document: Mapping[str, Any]) -> str:
    """Over the content, whatever the order of its keys and its white space; a text and a number are not the same."""
    content = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=repr)
    return sha256(text.encode()).hexdigest()


def _build(kind: type[_PlanType], file: _File) -> _PlanType:
    stored = isinstance(file.targets, dict)
    targets: Targets
    if stored:
        targets = TargetsElsewhere(file.id, file.groups, _read_examples(file))
    else:
        read = _read_targets(file, file.targets)
        _check_counts(file, read)
        targets = HeldTargets([target.group for target in read], read.__getitem__)
    plan = kind(
        where=read_filter(file.where),
        spec=None if file.spec is None else read_spec(file.spec),
        totals=_read_totals(file.totals),
        targets=targets,
        absent=None if file.absent is None else ControlNumbers(file.absent),
        **{name: getattr(file, name) for name in _SAME},
    )
    if dict(plan.totals.counts) != _counts(file.groups):
        raise FormatError("totals: the counts are not those of the groups")
    fields = [group.decision.fields for group in plan.groups]
    overwritten = (
        tuple(value for value, field in zip(target.before, fields[target.group], strict=True) if field != "balance")
        for target in ([] if stored else targets)
    )
    whom = ((target.account_id, target.control_number, target.group) for target in ([] if stored else targets))
    if plan.digest != plan_digest(plan.where, plan.spec, plan.groups, whom, overwritten):
        raise DigestMismatchError("plan: the digest is not that of the content; plan again")
    return plan


def _counts(groups: tuple[Group, ...]) -> dict[Outcome, int]:
    counts = dict.fromkeys((Outcome.APPLIED, Outcome.UNCHANGED, Outcome.REFUSED), 0)
    for group in groups:
        counts[group.decision.planned] += group.count
    return counts


class TargetsElsewhere(Targets):
    """The targets of a plan file whose targets a database holds; the file knows how many, and some examples."""

    def __init__(self, plan_id: str, groups: Sequence[Group], examples: Mapping[RefusalCode, Target]) -> None:
        self._plan_id = plan_id
        self._groups = groups
        self._examples = examples

    def __len__(self) -> int:
        return sum(group.count for group in self._groups)

    def __getitem__(self, index: object) -> NoReturn:
        """Say where they are."""
        raise PlanError(
            f"plan {self._plan_id}: the file holds its summary and the database its accounts; "
            "read them with store.load(plan.id)"
        )

    def of(self, groups: Collection[int]) -> Sequence[Target]:
        """None can be looked at."""
        return self[groups]

    def example(self, code: RefusalCode, groups: Collection[int]) -> Target:  # noqa: ARG002  # The code says it all.
        """The example that was written."""
        return self._examples[code]


def _read_examples(file: _File) -> dict[RefusalCode, Target]:
    """The examples; there is one for each refusal code, and it is refused with that."""
    if file.targets.keys() != {"examples"} or not isinstance(file.targets["examples"], dict):
        raise FormatError('targets: neither a list nor {"examples": {...}}')
    written = {RefusalCode[name]: row for name, row in file.targets["examples"].items()}
    examples = {code: _read_targets(file, [row])[0] for code, row in written.items()}
    refused = {reason.code for group in file.groups for reason in group.decision.refusals}
    for code, target in examples.items():
        if code not in {reason.code for reason in file.groups[target.group].decision.refusals}:
            raise FormatError(f"targets: the example of {code.name} is not refused with it")
    if refused != examples.keys():
        raise FormatError("targets: a refusal has no example")
    return examples


def _read_targets(file: _File, written: object) -> tuple[Target, ...]:
    """The targets, refusing what no planner writes."""
    converter = strict_converter()
    unpack = converter.get_structure_hook(Answer)
    rows = structure(written, list[tuple[str, int | None, int, list[Any]]], "targets", converter)
    targets = tuple(
        Target(name, number, group, tuple(unpack(v, Answer) for v in before)) for name, number, group, before in rows
    )
    for target in targets:
        if not 0 <= target.group < len(file.groups):
            raise FormatError(f"targets: there is no group {target.group}")
        if len(target.before) != len(file.groups[target.group].decision.fields):
            raise FormatError("targets: the values are not those that the decision overwrites")
    if len({target.account_id for target in targets}) < len(targets):
        raise FormatError("targets: an account stands there twice")
    return targets


def _check_counts(file: _File, targets: Sequence[Target]) -> None:
    counted = Counter(target.group for target in targets)
    if any(group.count != counted[number] for number, group in enumerate(file.groups)):
        raise FormatError("groups: the counts are not those of the targets")


def totals_document(totals: Totals) -> dict[str, Any]:
    """The totals as part of a document."""
    document: dict[str, Any] = strict_converter().unstructure(_write_totals(totals))
    return document


def _write_totals(totals: Totals) -> _Totals:
    return _Totals(
        counts={outcome.value: count for outcome, count in totals.counts.items()},
        refusals={code.name: count for code, count in totals.refusals.items()},
        effects={kind.name: count for kind, count in totals.effects.items()},
        money=tuple(_Amount(kind=kind, amount=amount) for (_, kind), amount in totals.money.items()),
        distributors=dict(totals.distributors),
        opening_difference=tuple(totals.opening_difference.values()),
        stranded_funds=tuple(totals.stranded_funds.values()),
        stranded_debts=tuple(totals.stranded_debts.values()),
        registered=totals.registered,
    )


def _read_totals(file: _Totals) -> Totals:
    refusals = [(RefusalCode[name], count) for name, count in file.refusals.items()]

    def by_currency(amounts: tuple[Money, ...]) -> FrozenMapping[str, Money]:
        return FrozenMapping({amount.currency: amount for amount in amounts})

    return Totals(
        counts=FrozenMapping({Outcome(name): count for name, count in file.counts.items()}),
        refusals=FrozenMapping(sorted(refusals, key=lambda item: (-item[1], item[0].value))),
        effects=FrozenMapping({kind: file.effects[kind.name] for kind in EffectKind if kind.name in file.effects}),
        money=FrozenMapping({(entry.amount.currency, entry.kind): entry.amount for entry in file.money}),
        distributors=FrozenMapping(sorted(file.distributors.items())),
        opening_difference=by_currency(file.opening_difference),
        stranded_funds=by_currency(file.stranded_funds),
        stranded_debts=by_currency(file.stranded_debts),
        registered=file.registered,
    )
