"""Confirmations: what a person reads before saying yes, as plain text and as HTML.

Both are made from the same sections, in the order of DESIGN.md section 6.
"""

import html
from collections import Counter
from collections.abc import Iterator, Mapping

import attrs

from account_batch.account import UnifiedMessaging, mask
from account_batch.decision import (
    EffectKind,
    NoteCode,
    Outcome,
)
from account_batch.filters import AccountFilter, Registration, StatusFilter, TextMatch, TextMode
from account_batch.frozen import FrozenMapping
from account_batch.money import Money
from account_batch.plan import Plan
from account_batch.spec import (
    CLEAR,
    ActivateNow,
    ActivateOn,
    AssignAddons,
    AssignDistributor,
    Charge,
    ExpireOn,
    Refund,
    RemoveAddons,
    ReplaceAddons,
    StatusChange,
)

__all__ = ["accounts_in_words", "printable", "render_html", "render_text"]

_Row = tuple[str, str]

_SHORT = 6


@attrs.frozen
class _Section:
    """One part of a confirmation: rows of a label and a text."""

    title: str
    rows: tuple[_Row, ...]
    alarming: bool = False


def render_text(plan: Plan, *, show_ids: bool) -> str:
    """The confirmation as plain text."""
    lines = [printable(_title(plan)), *(f"  {printable(text)}" for text in _about(plan))]
    for section in _sections(plan, show_ids=show_ids):
        width = max(len(printable(label)) for label, _ in section.rows)
        lines += ["", section.title.upper()]
        lines += [f"  {printable(label):<{width}}  {printable(text)}".rstrip() for label, text in section.rows]
    return "\n".join(lines) + "\n"


_STYLE = (
    "body{font:16px/1.4 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}"
    "h2{font-size:1rem;margin:1.5rem 0 .3rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .8rem .25rem 0;border-top:1px solid #ddd}"
    "th{font-weight:normal;color:#555;width:16rem}.alarming h2,.alarming td{color:#a40000}"
)


def render_html(plan: Plan, *, show_ids: bool) -> str:
    """The confirmation as an HTML page of its own."""
    about = "".join(f"<p>{_escape(text)}</p>" for text in _about(plan))
    parts = []
    for section in _sections(plan, show_ids=show_ids):
        rows = "".join(
            f'<tr><th scope="row">{_escape(label)}</th><td>{_escape(text)}</td></tr>' for label, text in section.rows
        )
        kind = ' class="alarming"' if section.alarming else ""
        parts.append(f"<section{kind}><h2>{html.escape(section.title)}</h2><table>{rows}</table></section>")
    title = _escape(_title(plan))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{about}{''.join(parts)}</body></html>\n"
    )


def printable(text: str) -> str:
    """A text on one line, in which no character does anything but show: names and comments come from anywhere."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _escape(text: str) -> str:
    return html.escape(printable(text))


def _mask_searched(mode: TextMode, text: str) -> str:
    """A searched text, which may be a whole id: what is too short to be one is shown."""
    if mode is TextMode.EXACTLY or (len(text) > _SHORT and mode is not TextMode.STARTS_WITH):
        return mask(text)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."


def _title(plan: Plan) -> str:
    if plan.spec is None:
        return f"Plan {plan.id}: open accounts that are due"
    return f'Plan {plan.id}: {"terminate" if plan.terminates else "update"} accounts of batch "{plan.where.batch}"'


def _about(plan: Plan) -> Iterator[str]:
    by = f" by {plan.actor}" if plan.actor else ""
    why = f": {plan.reason}" if plan.reason else ""
    yield f"planned {plan.planned_at:%Y-%m-%d %H:%M} UTC{by}{why}"
    if plan.valid_until is not None:
        yield f"valid until {plan.valid_until:%Y-%m-%d %H:%M} UTC"
    yield f"digest {plan.digest[:16]}"


def _sections(plan: Plan, *, show_ids: bool) -> Iterator[_Section]:
    if rows := tuple(_irreversible(plan)):
        yield _Section("Cannot be undone", rows, alarming=True)
    yield _Section("Which accounts", tuple(_criteria(plan.where, show_ids=show_ids)))
    if plan.spec is not None:
        settings = ((name, _setting(getattr(plan.spec, name))) for name in plan.spec.settings())
        yield _Section("What is set", tuple((_words(name), text) for name, text in settings))
    yield _Section("How many accounts", tuple(_counts(plan)))
    if rows := tuple(_money(plan)):
        yield _Section("Money", rows)
    if rows := tuple(_refusals(plan, show_ids=show_ids)):
        yield _Section("Refused, and left wholly untouched", rows, alarming=True)
    if plan.warnings:
        yield _Section("Warnings", tuple(("!", warning) for warning in plan.warnings), alarming=True)


def _irreversible(plan: Plan) -> Iterator[_Row]:
    totals = plan.totals
    if ends := totals.effects.get(EffectKind.TERMINATED):
        yield "terminated", f"{accounts_in_words(ends)}, for ever"
        yield "registered right now", accounts_in_words(totals.registered)
        yield "funds stranded", _amounts(totals.stranded_funds)
        yield "debts stranded", _amounts(totals.stranded_debts)
    if opened := totals.effects.get(EffectKind.ACTIVATED):
        yield "activated", accounts_in_words(opened)
    for (_, kind), amount in totals.money.items():
        yield f"{_words(kind.value)} booked", str(amount)


def _criteria(where: AccountFilter, *, show_ids: bool) -> Iterator[_Row]:
    for field in attrs.fields(AccountFilter):
        value = getattr(where, field.name)
        match value:
            case None | Registration.ANY:
                continue
            case FrozenMapping() if not value:
                continue
            case TextMatch(mode=mode, text=text):
                yield _words(field.name), f"{_words(mode.value)} {text if show_ids else _mask_searched(mode, text)}"
            case FrozenMapping():
                yield _words(field.name), ", ".join(f"{name} = {text}" for name, text in value.items())
            case StatusFilter() | Registration():
                yield _words(field.name), _words(value.value)
            case bool():
                yield _words(field.name), "yes" if value else "no"
            case _:
                yield _words(field.name), str(value)


def _setting(value: object) -> str:
    match value:
        case ActivateNow():
            return "immediately"
        case ActivateOn(day=day):
            return f"on {day}, when it begins in the customer's billing zone"
        case ExpireOn(day=day):
            return f"{day} is the first day on which the account is unusable"
        case AssignAddons() | RemoveAddons() | ReplaceAddons():
            verb = {AssignAddons: "assign", RemoveAddons: "remove", ReplaceAddons: "replace by"}[type(value)]
            return f"{verb} {', '.join(sorted(value.addons)) or 'none'}"
        case Charge() | Refund():
            return _taking(value)
        case AssignDistributor(id=name, charge=charge):
            said = {None: "", True: ", which pays for open accounts", False: ", which does not pay for open accounts"}
            return f"{name}{said[charge]}"
        case _ if value is CLEAR:
            return "cleared"
        case StatusChange() | UnifiedMessaging():
            return _words(value.value)
        case _:
            return str(value)


def _taking(value: Charge | Refund) -> str:
    parts = [str(value.amount)]
    parts += [f'"{value.comment}"'] if value.comment else []
    parts += [f'internal "{value.internal_comment}"'] if value.internal_comment else []
    parts += [f"reference {value.reference}"] if value.reference else []
    parts += ["overdraft allowed"] if value.allow_overdraft else []
    return ", ".join(parts)


def _counts(plan: Plan) -> Iterator[_Row]:
    counts = plan.totals.counts
    yield "selected", str(sum(counts.values()))
    yield "to change", str(counts[Outcome.APPLIED])
    yield "unchanged", str(counts[Outcome.UNCHANGED])
    yield "refused", str(counts[Outcome.REFUSED])
    fields: Counter[str] = Counter()
    notes: Counter[NoteCode] = Counter()
    for group in plan.groups:
        fields.update(dict.fromkeys(group.decision.fields, group.count))
        notes.update(dict.fromkeys(group.decision.notes, group.count))
    for name, count in fields.items():
        yield f"{_words(name)} changes", str(count)
    for kind, count in plan.totals.effects.items():
        yield _words(kind.value), f"{count}{_when(plan, kind)}"
    for code, count in notes.items():
        yield f"note: {_words(code.value)}", str(count)


def _when(plan: Plan, kind: EffectKind) -> str:
    """The instants at which scheduled effects take place."""
    effects = (effect for group in plan.groups for effect in group.decision.effects)
    instants = sorted({effect.at for effect in effects if effect.kind is kind and effect.at is not None})
    return f", at {', '.join(f'{at:%Y-%m-%d %H:%M} UTC' for at in instants)}" if instants else ""


def _money(plan: Plan) -> Iterator[_Row]:
    totals = plan.totals
    for (_, kind), amount in totals.money.items():
        yield f"{_words(kind.value)} total", str(amount)
    if totals.opening_difference:
        yield "opening balance difference", _amounts(totals.opening_difference)
    for name, total in totals.distributors.items():
        yield f"distributor {name}", f"{total.booked} booked, {total.scheduled} scheduled"
    if plan.terminates:
        yield "funds stranded", _amounts(totals.stranded_funds)
        yield "debts stranded", _amounts(totals.stranded_debts)


def _refusals(plan: Plan, *, show_ids: bool) -> Iterator[_Row]:
    for code, count in plan.totals.refusals.items():
        refused = {
            number
            for number, group in enumerate(plan.groups)
            if any(reason.code is code for reason in group.decision.refusals)
        }
        target = plan.targets.example(code, refused)
        reasons = plan.groups[target.group].decision.refusals
        reason = next(reason for reason in reasons if reason.code is code)
        shown = target.account_id if show_ids else mask(target.account_id)
        number = "" if target.control_number is None else f"control number {target.control_number}, "
        why = f"{_words(reason.field)}: {reason.detail}"
        yield _words(code.value), f"{accounts_in_words(count)}, for example {number}id {shown}: {why}"


def accounts_in_words(count: int) -> str:
    """So many accounts."""
    return f"{count} account" if count == 1 else f"{count} accounts"


def _amounts(amounts: Mapping[str, Money]) -> str:
    return ", ".join(map(str, amounts.values())) or "none"


def _words(name: str) -> str:
    return name.replace("_", " ")
