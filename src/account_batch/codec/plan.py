"""Plans as JSON with a format version, readable for ever, and with a checksum over all that they say."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from account_batch.codec.request import read_filter, read_spec, write_filter, write_spec
from account_batch.codec.strict import parse_instant, parse_json, strict_converter, structure
from account_batch.decision import EffectKind, Outcome, RefusalCode, TransactionKind
from account_batch.errors import AccountBatchError, DigestMismatchError, FormatError, PlanFormatError
from account_batch.filters import ControlNumbers
from account_batch.frozen import FrozenMapping
from account_batch.money import Money
from account_batch.plan import DistributorTotal, Group, Plan, Target, Totals, plan_digest
from account_batch.questions import Answer

__all__ = ["dump_plan", "load_plan", "totals_document"]

_FORMAT = "account_batch plan"
_VERSION = 1

_PlanType = TypeVar("_PlanType", bound=Plan)


def dump_plan(plan: Plan) -> str:
    """The whole plan as JSON."""
    converter = strict_converter()
    pack = converter.get_unstructure_hook(Answer)
    document: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "id": plan.id,
        "digest": plan.digest,
        "where": write_filter(plan.where),
        "spec": None if plan.spec is None else write_spec(plan.spec),
        "planned_at": plan.planned_at.isoformat(),
        "valid_until": None if plan.valid_until is None else plan.valid_until.isoformat(),
        "actor": plan.actor,
        "reason": plan.reason,
        "warnings": list(plan.warnings),
        "totals": totals_document(plan.totals),
        "absent": None if plan.absent is None else str(plan.absent),
        "store": plan.store,
        "zone_data": plan.zone_data,
        "groups": converter.unstructure(plan.groups, tuple[Group, ...]),
        "targets": [
            [target.account_id, target.control_number, target.group, [pack(value) for value in target.before]]
            for target in plan.targets
        ],
    }
    document["checksum"] = _checksum(document)
    return json.dumps(document, ensure_ascii=False)


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
    if document.get("version") != _VERSION:
        known = f"this release reads version {_VERSION}"
        raise PlanFormatError(f"plan.version: {document.get('version')!r} is unknown; {known}")
    if document.get("checksum") != _checksum(document):
        raise DigestMismatchError("plan: the content is not what was written; plan again")
    try:
        return _build(kind, document)
    except DigestMismatchError:
        raise
    except (AccountBatchError, KeyError, TypeError, ValueError, IndexError) as error:
        raise PlanFormatError(f"plan: {type(error).__name__}: {error}") from None


def _checksum(document: Mapping[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()


def _build(kind: type[_PlanType], document: Mapping[str, Any]) -> _PlanType:
    converter = strict_converter()
    unpack = converter.get_structure_hook(Answer)
    groups = structure(document["groups"], tuple[Group, ...], "groups", converter)
    targets = tuple(
        Target(account_id, control_number, group, tuple(unpack(value, Answer) for value in before))
        for account_id, control_number, group, before in document["targets"]
    )
    _check_targets(groups, targets)
    valid_until, absent = document["valid_until"], document["absent"]
    plan = kind(
        id=document["id"],
        digest=document["digest"],
        where=read_filter(document["where"]),
        spec=None if document["spec"] is None else read_spec(document["spec"]),
        planned_at=parse_instant(document["planned_at"]),
        valid_until=None if valid_until is None else parse_instant(valid_until),
        actor=document["actor"],
        reason=document["reason"],
        warnings=tuple(document["warnings"]),
        totals=_read_totals(document["totals"]),
        groups=groups,
        targets=targets,
        group_numbers=tuple(target.group for target in targets),
        absent=None if absent is None else ControlNumbers(absent),
        store=document["store"],
        zone_data=document["zone_data"],
    )
    overwritten = (
        tuple(
            value
            for value, field in zip(target.before, groups[target.group].decision.fields, strict=True)
            if field != "balance"
        )
        for target in targets
    )
    whom = ((target.account_id, target.control_number, target.group) for target in targets)
    if plan.digest != plan_digest(plan.where, plan.spec, groups, whom, overwritten):
        raise DigestMismatchError("plan: the digest is not that of the content; plan again")
    return plan


def _check_targets(groups: Sequence[Group], targets: Sequence[Target]) -> None:
    """Refuse targets that no planner writes."""
    for target in targets:
        if not isinstance(target.account_id, str) or type(target.group) is not int or target.group < 0:
            raise FormatError(f"targets: {target} is no target")
        if target.control_number is not None and type(target.control_number) is not int:
            raise FormatError(f"targets: {target} has no control number")
        if len(target.before) != len(groups[target.group].decision.fields):
            raise FormatError("targets: values are missing")
    if len({target.account_id for target in targets}) < len(targets):
        raise FormatError("targets: an account stands there twice")
    counted = Counter(target.group for target in targets)
    if any(group.count != counted[number] for number, group in enumerate(groups)):
        raise FormatError("groups: the counts are not those of the targets")


def totals_document(totals: Totals) -> dict[str, Any]:
    """The totals as part of a document."""
    return {
        "counts": {outcome.value: count for outcome, count in totals.counts.items()},
        "refusals": {code.name: count for code, count in totals.refusals.items()},
        "effects": {kind.name: count for kind, count in totals.effects.items()},
        "money": [{"kind": kind.value, "amount": str(amount)} for (_, kind), amount in totals.money.items()],
        "distributors": {
            name: {"booked": str(total.booked), "scheduled": str(total.scheduled), "over_limit": total.over_limit}
            for name, total in totals.distributors.items()
        },
        "opening_difference": list(map(str, totals.opening_difference.values())),
        "stranded_funds": list(map(str, totals.stranded_funds.values())),
        "stranded_debts": list(map(str, totals.stranded_debts.values())),
        "registered": totals.registered,
    }


def _read_totals(document: Mapping[str, Any]) -> Totals:
    def by_currency(name: str) -> Mapping[str, Money]:
        amounts = map(Money.parse, document[name])
        return FrozenMapping({amount.currency: amount for amount in amounts})

    money = ((Money.parse(entry["amount"]), TransactionKind(entry["kind"])) for entry in document["money"])
    return Totals(
        counts=FrozenMapping({Outcome(name): count for name, count in document["counts"].items()}),
        refusals=FrozenMapping({RefusalCode[name]: count for name, count in document["refusals"].items()}),
        effects=FrozenMapping({EffectKind[name]: count for name, count in document["effects"].items()}),
        money=FrozenMapping({(amount.currency, kind): amount for amount, kind in money}),
        distributors=FrozenMapping(
            {
                name: DistributorTotal(
                    booked=Money.parse(total["booked"]),
                    scheduled=Money.parse(total["scheduled"]),
                    over_limit=total["over_limit"],
                )
                for name, total in document["distributors"].items()
            }
        ),
        opening_difference=by_currency("opening_difference"),
        stranded_funds=by_currency("stranded_funds"),
        stranded_debts=by_currency("stranded_debts"),
        registered=document["registered"],
    )
