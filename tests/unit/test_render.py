import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import attrs
import pytest

from account_batch.account import Account, AccountKind, AccountState, UnifiedMessaging
from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.decision import EffectKind, Outcome
from account_batch.filters import AccountFilter, Registration, StatusFilter, TextMatch
from account_batch.money import Money, add
from account_batch.plan import Plan
from account_batch.planner import plan_due, plan_update
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
    UpdateSpec,
)
from account_batch.stores.memory import MemoryStore

_NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
_CATALOG = Catalog(
    customers=[
        Customer(id="acme", billing_time_zone="America/New_York"),
        Customer(id="dnipro", billing_time_zone="Europe/Kyiv"),
    ],
    batches=[Batch(id="SUMMER-2026", customer="acme")],
    products=[
        Product(id="silver", currency="USD", allowed_addons=["fax"]),
        Product(id="gold", currency="USD", subscription=Subscription(in_advance=True, fee="4.50")),
        Product(id="fax", currency="USD", is_addon=True),
    ],
    sites=[Site(id="hq", customer="acme")],
    distributors=[
        Distributor(id="kiosk", currency="USD", commission="0.15", credit_limit=20),
        Distributor(id="stall", currency="USD", commission="0.5"),
    ],
    roles=["default"],
    ivr_languages=["en"],
)
_CARD = Account(
    id="647555000011",
    batch="SUMMER-2026",
    control_number=1,
    customer="acme",
    kind=AccountKind.DEBIT,
    state=AccountState.INACTIVE,
    currency="USD",
    product="silver",
    opening_balance="10",
    balance="10",
)
_OPEN = attrs.evolve(
    _CARD,
    state=AccountState.OPEN,
    activation_date="2026-01-01",
    first_used_on="2026-01-02",
    expiration_date="2026-06-30",
    balance="3.25",
    registered=True,
)
_ACCOUNTS = [
    _CARD,
    attrs.evolve(_CARD, id="647555000022", control_number=2),
    attrs.evolve(_CARD, id="647555000033", control_number=3, addons={"fax"}),
    attrs.evolve(_CARD, id="647555000044", control_number=4, balance="0.50"),
    attrs.evolve(_OPEN, id="647555000055", control_number=5),
    attrs.evolve(_OPEN, id="647555000066", control_number=6, kind=AccountKind.CREDIT, balance="7.75", blocked=True),
    attrs.evolve(_CARD, id="647555000077", control_number=None, kind=AccountKind.VOUCHER, addons={"fax"}),
    attrs.evolve(_CARD, id="647555000088", control_number=8, state=AccountState.CLOSED),
    attrs.evolve(_OPEN, id="647555000099", control_number=9, kind=AccountKind.CREDIT, balance="-1", registered=False),
]
_WHERE = AccountFilter(batch="SUMMER-2026")
_CAMPAIGN = UpdateSpec(
    activation=ActivateNow(),
    expiration=ExpireOn("2027-12-01"),
    charge=Charge(Money("1.10", "USD"), comment="SIM fee", reference="sim-fee"),
    opening_balance=Money("10.00", "USD"),
    product="gold",
    distributor=AssignDistributor("kiosk", charge=False),
)
_TERMINATE = UpdateSpec(status=StatusChange.TERMINATED)


def _plan(
    spec: UpdateSpec = _CAMPAIGN,
    where: AccountFilter = _WHERE,
    accounts: Sequence[Account] = _ACCOUNTS,
    *,
    actor: str = "ann",
    reason: str = "autumn campaign",
) -> Plan:
    return plan_update(MemoryStore(accounts), where, spec, catalog=_CATALOG, now=_NOW, actor=actor, reason=reason)


def _due() -> Plan:
    accounts = [
        attrs.evolve(_CARD, activation_date="2026-11-23", distributor="kiosk"),
        attrs.evolve(_CARD, id="647555000022", activation_date="2026-11-24"),
    ]
    return plan_due(MemoryStore(accounts), catalog=_CATALOG, now=_NOW)


class _Page(HTMLParser):
    """What an HTML page shows: sections with rows, the paragraphs before them, and the tags it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: dict[str, list[tuple[str, str]]] = {}
        self.alarming: list[str] = []
        self.paragraphs: list[str] = []
        self.headings: list[str] = []
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self._alarming = False
        self._texts: dict[str, str] = {}
        self._tag = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(sorted(name for name, _ in attributes))))
        self._tag = tag
        self._texts[tag] = ""
        if tag == "section":
            self._alarming = ("class", "alarming") in attributes

    def handle_data(self, data: str) -> None:
        self._texts[self._tag] = self._texts.get(self._tag, "") + data

    def handle_endtag(self, tag: str) -> None:
        text = self._texts.get(tag, "")
        match tag:
            case "h2":
                self.sections[text] = []
                self.alarming += [text] if self._alarming else []
            case "tr":
                [*_, title] = self.sections
                self.sections[title].append((self._texts["th"], self._texts["td"]))
            case "p":
                self.paragraphs.append(text)
            case "h1" | "title":
                self.headings.append(text)


def _text_sections(text: str) -> dict[str, list[tuple[str, str]]]:
    """The sections of a confirmation as plain text, with their rows."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for part in text.rstrip("\n").split("\n\n")[1:]:
        title, *lines = part.split("\n")
        sections[title] = []
        for line in lines:
            label, content = re.fullmatch(r"  (\S.*?)(?:  +(.*))?", line).groups("")  # type: ignore[union-attr]
            sections[title].append((label, content))
    return sections


def _sections(plan: Plan) -> dict[str, dict[str, str]]:
    """The sections of a confirmation, each with the text of every label."""
    return {title: dict(rows) for title, rows in _Page(plan.to_html()).sections.items()}


_ALL = [
    "Cannot be undone",
    "Which accounts",
    "What is set",
    "How many accounts",
    "Money",
    "Refused, and left wholly untouched",
    "Warnings",
]


def test_sections_come_in_the_order_of_the_design() -> None:
    """Irreversible effects come first, then criteria, settings, counts, money, refusals and warnings."""
    plan = _plan(where=AccountFilter(batch="SUMMER-2026", control_numbers="1-20"))
    assert list(_sections(plan)) == _ALL
    assert list(_text_sections(plan.confirmation())) == [title.upper() for title in _ALL]


@pytest.mark.parametrize("spec", [_CAMPAIGN, _TERMINATE, UpdateSpec(role="default"), UpdateSpec(site=CLEAR)])
def test_text_and_page_say_the_same(spec: UpdateSpec) -> None:
    """Plain text and HTML have the same sections with the same rows, the same title and the same lines above."""
    plan = _plan(spec)
    page, text = _Page(plan.to_html()), plan.confirmation()
    assert {title.upper(): rows for title, rows in page.sections.items()} == _text_sections(text)
    [title, *about] = text.split("\n\n")[0].split("\n")
    assert page.headings == [title, title]
    assert page.paragraphs == [line.removeprefix("  ") for line in about]


def test_a_confirmation_ends_with_a_line_end() -> None:
    """Both forms end where a file ends, and no line of the text ends with a space."""
    plan = _plan()
    assert plan.to_html().endswith("</html>\n")
    assert plan.confirmation().endswith("\n")
    assert [line for line in plan.confirmation().splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize(
    ("spec", "absent"),
    [
        (UpdateSpec(role="default"), {"Cannot be undone", "Money", _ALL[5], "Warnings"}),
        (UpdateSpec(opening_balance=Money("10.00", "USD")), {"Cannot be undone", "Money", _ALL[5], "Warnings"}),
        (UpdateSpec(opening_balance=Money("11.00", "USD")), {"Cannot be undone", "Warnings"}),
        (UpdateSpec(product="gold"), {"Cannot be undone", "Money", "Warnings"}),
        (UpdateSpec(activation=ActivateNow()), {"Money", _ALL[5], "Warnings"}),
        (UpdateSpec(expiration=ExpireOn("2026-11-23")), {"Cannot be undone", "Money", _ALL[5]}),
        (_TERMINATE, {_ALL[5], "Warnings"}),
    ],
)
def test_there_is_a_section_for_what_there_is(spec: UpdateSpec, absent: set[str]) -> None:
    """A section appears exactly if the plan has something to say in it."""
    assert list(_sections(_plan(spec))) == [title for title in _ALL if title not in absent]


def test_what_needs_care_stands_out() -> None:
    """Irreversible effects, refusals and warnings are marked on the page, and nothing else."""
    plan = _plan(where=AccountFilter(batch="SUMMER-2026", control_numbers="1-20"))
    assert _Page(plan.to_html()).alarming == [_ALL[0], _ALL[5], _ALL[6]]


def test_the_title_names_the_batch_and_what_happens() -> None:
    """The first line says which plan it is, of which batch, and whether it terminates."""
    update, end = _plan(), _plan(_TERMINATE)
    assert update.confirmation().startswith(f'Plan {update.id}: update accounts of batch "SUMMER-2026"\n')
    assert end.confirmation().startswith(f'Plan {end.id}: terminate accounts of batch "SUMMER-2026"\n')


def test_who_when_and_why_stand_above() -> None:
    """Below the title stand the instants in UTC, who asked, why, and the digest."""
    plan = _plan()
    assert _Page(plan.to_html()).paragraphs == [
        "planned 2026-11-23 10:00 UTC by ann: autumn campaign",
        "valid until 2026-11-24 05:00 UTC",
        f"digest {plan.digest[:16]}",
    ]


def test_what_is_unknown_is_left_out_above() -> None:
    """A plan without actor, reason and end of validity says nothing about them."""
    plan = _plan(UpdateSpec(role="default"), actor="", reason="")
    assert _Page(plan.to_html()).paragraphs == ["planned 2026-11-23 10:00 UTC", f"digest {plan.digest[:16]}"]


def test_a_termination_is_shown_first_with_what_it_strands() -> None:
    """Who terminates sees how many, how many are registered, and the funds and debts that are lost."""
    [(title, rows), *_] = _sections(_plan(_TERMINATE)).items()
    assert (title, rows) == (
        "Cannot be undone",
        {
            "terminated": "8 accounts, for ever",
            "registered right now": "2 accounts",
            "funds stranded": "33.75 USD",
            "debts stranded": "7.75 USD",
        },
    )


def test_nothing_stranded_is_said() -> None:
    """A termination that strands nothing says so."""
    rows = _sections(_plan(_TERMINATE, accounts=[attrs.evolve(_CARD, balance=0)]))["Cannot be undone"]
    assert rows == {
        "terminated": "1 account, for ever",
        "registered right now": "0 accounts",
        "funds stranded": "none",
        "debts stranded": "none",
    }


def test_activations_and_money_cannot_be_undone() -> None:
    """Opening accounts and booking money stand among the irreversible effects."""
    plan = _plan(UpdateSpec(activation=ActivateNow(), distributor="kiosk", charge=Charge(Money("1.10", "USD"))))
    rows = _sections(plan)["Cannot be undone"]
    assert rows == {
        "activated": "3 accounts",
        "charge booked": "3.30 USD",
        "distributor charge booked": "25.50 USD",
    }


def test_a_batch_alone_is_shown_with_what_it_leaves_out() -> None:
    """The criteria name the batch and the states that are meant."""
    assert _sections(_plan())["Which accounts"] == {"batch": "SUMMER-2026", "status": "all except closed"}


@pytest.mark.parametrize(
    ("where", "label", "text"),
    [
        (AccountFilter(batch="SUMMER-2026", control_numbers="8-12,1, 3"), "control numbers", "1,3,8-12"),
        (AccountFilter(batch="SUMMER-2026", account_id="647"), "account id", "starts with 647"),
        (AccountFilter(batch="SUMMER-2026", account_id=TextMatch.contains("55")), "account id", "contains 55"),
        (AccountFilter(batch="SUMMER-2026", account_id=TextMatch.ends_with("77")), "account id", "ends with 77"),
        (AccountFilter(batch="SUMMER-2026", status=StatusFilter.ANY), "status", "any"),
        (AccountFilter(batch="SUMMER-2026", status=StatusFilter.OPEN), "status", "open"),
        (AccountFilter(batch="SUMMER-2026", registration=Registration.UNREGISTERED), "registration", "unregistered"),
        (AccountFilter(batch="SUMMER-2026", blocked=True), "blocked", "yes"),
        (AccountFilter(batch="SUMMER-2026", used=False), "used", "no"),
        (AccountFilter(batch="SUMMER-2026", customer="acme"), "customer", "acme"),
        (AccountFilter(batch="SUMMER-2026", product="gold"), "product", "gold"),
        (AccountFilter(batch="SUMMER-2026", contact={"city": "X", "email": "a@b"}), "contact", "city = X, email = a@b"),
    ],
)
def test_every_criterion_is_shown(where: AccountFilter, label: str, text: str) -> None:
    """A criterion that is set is shown in words."""
    assert _sections(_plan(where=where))["Which accounts"][label] == text


@pytest.mark.parametrize(
    ("spec", "label", "text"),
    [
        (UpdateSpec(activation=ActivateNow()), "activation", "immediately"),
        (
            UpdateSpec(activation=ActivateOn("2026-12-01")),
            "activation",
            "on 2026-12-01, when it begins in the customer's billing zone",
        ),
        (UpdateSpec(activation=CLEAR), "activation", "cleared"),
        (
            UpdateSpec(expiration=ExpireOn("2027-12-01")),
            "expiration",
            "2027-12-01 is the first day on which the account is unusable",
        ),
        (UpdateSpec(expiration=CLEAR), "expiration", "cleared"),
        (UpdateSpec(availability_days=90), "availability days", "90"),
        (UpdateSpec(status=StatusChange.UNBLOCKED), "status", "unblocked"),
        (_TERMINATE, "status", "terminated"),
        (UpdateSpec(opening_balance=Money("15", "USD")), "opening balance", "15.00 USD"),
        (UpdateSpec(charge=Charge(Money("1", "USD"))), "charge", "1.00 USD"),
        (
            UpdateSpec(
                refund=Refund(Money("1", "USD"), comment="c", internal_comment="i", reference="r", allow_overdraft=True)
            ),
            "refund",
            '1.00 USD, "c", internal "i", reference r, overdraft allowed',
        ),
        (UpdateSpec(product="gold"), "product", "gold"),
        (UpdateSpec(addons=AssignAddons({"fax"})), "addons", "assign fax"),
        (UpdateSpec(addons=RemoveAddons({"fax"})), "addons", "remove fax"),
        (UpdateSpec(addons=ReplaceAddons({"fax"})), "addons", "replace by fax"),
        (UpdateSpec(addons=ReplaceAddons(())), "addons", "replace by none"),
        (UpdateSpec(charging_period=6), "charging period", "6"),
        (UpdateSpec(associated_number="18005551234"), "associated number", "18005551234"),
        (UpdateSpec(unified_messaging=UnifiedMessaging.BY_PRODUCT), "unified messaging", "by product"),
        (UpdateSpec(ivr_language="en"), "ivr language", "en"),
        (UpdateSpec(time_zone="Europe/Kyiv"), "time zone", "Europe/Kyiv"),
        (UpdateSpec(role="default"), "role", "default"),
        (UpdateSpec(site="hq"), "site", "hq"),
        (UpdateSpec(site=CLEAR), "site", "cleared"),
        (UpdateSpec(distributor="kiosk"), "distributor", "kiosk"),
        (
            UpdateSpec(distributor=AssignDistributor("kiosk", charge=True)),
            "distributor",
            "kiosk, which pays for open accounts",
        ),
        (
            UpdateSpec(distributor=AssignDistributor("kiosk", charge=False)),
            "distributor",
            "kiosk, which does not pay for open accounts",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_setting_is_shown(spec: UpdateSpec, label: str, text: str) -> None:
    """A setting is shown in words, and those that are kept are not."""
    assert _sections(_plan(spec))["What is set"] == {label: text}


@pytest.mark.parametrize("spec", [_CAMPAIGN, _TERMINATE, UpdateSpec(expiration=ExpireOn("2026-06-30"))])
def test_numbers_add_up(spec: UpdateSpec) -> None:
    """Selected is changed plus unchanged plus refused, and each is what the plan says."""
    plan = _plan(spec)
    rows = _sections(plan)["How many accounts"]
    counts = [int(rows[name]) for name in ("to change", "unchanged", "refused")]
    assert counts == [len(plan.changes), len(plan.unchanged), len(plan.refused)] == list(plan.totals.counts.values())
    assert int(rows["selected"]) == sum(counts) == len(plan.targets)


def test_every_field_that_changes_is_counted() -> None:
    """For each field the confirmation says how many accounts get another value."""
    plan = _plan()
    shown = {
        label.removesuffix(" changes").replace(" ", "_"): int(text)
        for label, text in _sections(plan)["How many accounts"].items()
        if label.endswith(" changes")
    }
    fields = [field.field for change in plan.changes for field in change.fields]
    assert shown == {field: fields.count(field) for field in fields}


def test_every_effect_and_note_is_counted() -> None:
    """For each effect and each note the confirmation says how many accounts it is about."""
    plan = _plan()
    rows = _sections(plan)["How many accounts"]
    effects = [effect.kind for change in plan.changes for effect in change.effects]
    notes = [note for change in plan.changes for note in change.notes]
    assert {kind: int(rows[kind.value.replace("_", " ")]) for kind in effects} == plan.totals.effects
    assert EffectKind.REVIVED in effects
    assert {note: int(rows[f"note: {note.value.replace('_', ' ')}"]) for note in notes} == {
        note: notes.count(note) for note in notes
    }


def test_scheduled_effects_say_when() -> None:
    """The instant at which a scheduled activation and its charge take place is shown in UTC, for every zone."""
    accounts = [_CARD, attrs.evolve(_CARD, id="2", control_number=2, customer="dnipro")]
    plan = _plan(UpdateSpec(activation=ActivateOn("2026-12-01"), distributor="kiosk"), accounts=accounts)
    rows = _sections(plan)["How many accounts"]
    assert rows["activation scheduled"] == "2, at 2026-11-30 22:00 UTC, 2026-12-01 05:00 UTC"
    assert rows["distributor charge scheduled"] == "2, at 2026-11-30 22:00 UTC, 2026-12-01 05:00 UTC"


def test_money_adds_up() -> None:
    """The totals are the sums over the changes, and those of the plan."""
    spec = UpdateSpec(
        opening_balance=Money("12.50", "USD"),
        charge=Charge(Money("1.10", "USD")),
        refund=Refund(Money("0.00001", "USD")),
        distributor=AssignDistributor("kiosk", charge=True),
    )
    plan = _plan(spec, accounts=[_CARD, attrs.evolve(_CARD, id="2", state=AccountState.OPEN, opening_balance="0.5")])
    sums: dict[str, Decimal] = {}
    for change in plan.changes:
        for transaction in change.transactions:
            label = f"{transaction.kind.value.replace('_', ' ')} total"
            sums[label] = add(sums.get(label, Decimal(0)), transaction.amount.amount)
    rows = _sections(plan)["Money"]
    assert {label: rows[label] for label in sums} == {
        label: str(Money(amount, "USD")) for label, amount in sums.items()
    }
    assert rows == {
        "charge total": "2.20 USD",
        "refund total": "0.00002 USD",
        "distributor charge total": "10.625 USD",
        "opening balance difference": "14.50 USD",
        "distributor kiosk": "10.625 USD booked, 0.00 USD scheduled",
    }


def test_scheduled_charges_stand_apart() -> None:
    """What a distributor will be charged later is shown apart from what is booked."""
    plan = _plan(UpdateSpec(activation=ActivateOn("2026-12-01"), distributor="stall"), accounts=_ACCOUNTS[:2])
    assert _sections(plan)["Money"] == {"distributor stall": "0.00 USD booked, 10.00 USD scheduled"}


def test_every_distributor_has_its_total() -> None:
    """The total of each distributor is shown on a row of its own."""
    accounts = [
        attrs.evolve(_CARD, distributor="kiosk"),
        attrs.evolve(_CARD, id="2", control_number=2, distributor="stall"),
    ]
    rows = _sections(_plan(UpdateSpec(activation=ActivateNow()), accounts=accounts))["Money"]
    assert rows == {
        "distributor charge total": "13.50 USD",
        "distributor kiosk": "8.50 USD booked, 0.00 USD scheduled",
        "distributor stall": "5.00 USD booked, 0.00 USD scheduled",
    }


def test_currencies_are_never_added_up() -> None:
    """Money of two currencies is shown as two amounts."""
    accounts = [_CARD, attrs.evolve(_CARD, id="2", control_number=2, currency="EUR", balance="2.5")]
    rows = _sections(_plan(_TERMINATE, accounts=accounts))
    assert (rows["Cannot be undone"]["funds stranded"], rows["Money"]["funds stranded"]) == (
        "10.00 USD, 2.50 EUR",
        "10.00 USD, 2.50 EUR",
    )


def test_stranded_money_is_in_the_totals() -> None:
    """What a termination strands is shown among the money as well."""
    assert _sections(_plan(_TERMINATE))["Money"] == {"funds stranded": "33.75 USD", "debts stranded": "7.75 USD"}


def test_refusals_are_shown_by_code() -> None:
    """Each code is shown with the number of accounts and one example with its reason."""
    plan = _plan()
    rows = _sections(plan)["Refused, and left wholly untouched"]
    assert {label: int(text.split(" ")[0]) for label, text in rows.items()} == {
        code.value.replace("_", " "): count for code, count in plan.totals.refusals.items()
    }
    assert rows["insufficient funds"] == (
        "1 account, for example control number 4, id ...0044: charge: 1.10 USD is more than the funds left"
    )
    assert rows["addon not allowed"].startswith("2 accounts, for example control number 3, id ...0033: product: ")


def test_an_account_without_control_number_is_shown_by_its_id() -> None:
    """The example of a refusal leaves out a control number that there is none of."""
    rows = _sections(_plan())["Refused, and left wholly untouched"]
    assert rows["not chargeable"].startswith("1 account, for example id ...0077: charge: ")


def test_absent_control_numbers_are_named() -> None:
    """Control numbers that were asked for and are not there, or are passed over, are listed among the warnings."""
    plan = _plan(where=AccountFilter(batch="SUMMER-2026", control_numbers="1-3,8,10-12,40"))
    texts = [text for _, text in _Page(plan.to_html()).sections["Warnings"]]
    assert any("not in the batch: 10-12,40" in text for text in texts)
    assert any("do not select: 8" in text for text in texts)
    assert "10-12,40" in plan.confirmation()


def test_every_warning_is_shown() -> None:
    """The warnings of the plan stand in the last section, each on its own row."""
    cards = [attrs.evolve(_OPEN, id=str(number), control_number=number, expiration_date=None) for number in (1, 2, 3)]
    closed = attrs.evolve(_CARD, control_number=4, state=AccountState.CLOSED)
    plan = _plan(
        UpdateSpec(expiration=ExpireOn("2026-11-01"), distributor=AssignDistributor("kiosk", charge=True)),
        AccountFilter(batch="SUMMER-2026", control_numbers="1-5"),
        [*cards, closed],
    )
    assert len(plan.warnings) == 4
    assert _Page(plan.to_html()).sections["Warnings"] == [("!", warning) for warning in plan.warnings]


def test_a_plan_for_nobody_says_so() -> None:
    """A filter that selects no account makes a plan that warns about it, with all counts at zero."""
    plan = _plan(where=AccountFilter(batch="SUMMER-2026", blocked=True, used=False))
    sections = _sections(plan)
    assert list(sections) == ["Which accounts", "What is set", "How many accounts", "Warnings"]
    assert sections["How many accounts"] == dict.fromkeys(["selected", "to change", "unchanged", "refused"], "0")
    assert sections["Warnings"] == {"!": "no account is selected"}


def test_a_plan_of_due_activations_is_shown() -> None:
    """Without a spec there is nothing that is set, and the title says what the plan is about."""
    plan = _due()
    sections = _sections(plan)
    assert plan.confirmation().startswith(f"Plan {plan.id}: open accounts that are due\n")
    assert list(sections) == ["Cannot be undone", "Which accounts", "How many accounts", "Money"]
    assert sections["Which accounts"] == {"status": "inactive"}
    assert sections["Cannot be undone"] == {"activated": "1 account", "distributor charge booked": "8.50 USD"}


@pytest.mark.parametrize(
    "plan",
    [
        _plan(),
        _plan(_TERMINATE),
        _plan(where=AccountFilter(batch="SUMMER-2026", account_id=TextMatch.exactly("647555000044"))),
        _plan(where=AccountFilter(batch="SUMMER-2026", account_id="647555000044")),
        _plan(where=AccountFilter(batch="SUMMER-2026", account_id=TextMatch.contains("647555000044"))),
        _plan(UpdateSpec(charge=Charge(Money("1.10", "EUR")))),
        _due(),
    ],
    ids=["campaign", "terminate", "exactly", "starts-with", "contains", "all-refused", "due"],
)
def test_no_id_is_shown_in_full(plan: Plan) -> None:
    """Whatever the filter, neither text nor page holds an id, nor more of any than its last four characters."""
    for shown in (plan.confirmation(), plan.to_html(), plan.confirmation(show_ids=False)):
        assert [account.id for account in _ACCOUNTS if account.id[-5:] in shown] == []


def test_ids_are_shown_when_asked_for() -> None:
    """Who asks for ids sees those of the examples in full, as text and as page."""
    plan = _plan()
    for shown in (plan.confirmation(show_ids=True), plan.to_html(show_ids=True)):
        assert "control number 4, id 647555000044: " in shown


def test_a_short_id_is_an_id() -> None:
    """A filter for one id does not show the whole of it, also where it has six characters."""
    plan = _plan(where=AccountFilter(batch="SUMMER-2026", account_id=TextMatch.exactly("135790")))
    assert "135790" not in plan.confirmation()


def test_an_exact_criterion_is_an_id() -> None:
    """A filter for one id shows its last characters, and all of it when asked for."""
    plan = _plan(where=AccountFilter(batch="SUMMER-2026", account_id=TextMatch.exactly("647555000044")))
    assert "account id  exactly ...0044\n" in plan.confirmation()
    assert "account id  exactly 647555000044\n" in plan.confirmation(show_ids=True)


@pytest.mark.parametrize("length", range(1, 31))
def test_never_more_than_a_third_of_an_id_is_shown(length: int) -> None:
    """A mask shows at most the last four characters, and at most a third of the id."""
    name = ("0123456789" * 3)[:length]
    plan = _plan(UpdateSpec(charge=Charge(Money(1, "EUR"))), accounts=[attrs.evolve(_CARD, id=name)])
    [text] = _sections(plan)["Refused, and left wholly untouched"].values()
    [shown] = re.findall(r"id \.\.\.(\w*): ", text)
    assert name.endswith(shown)
    assert len(shown) == min(4, length // 3)


_SCRIPT = "<script>alert(1)</script>"
_HOSTILE = [
    _SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "</td></table><h2>Warnings</h2>",
    "&lt;b&gt;",
]


@pytest.mark.parametrize("text", _HOSTILE)
def test_a_page_shows_hostile_text_as_text(text: str) -> None:
    """Whatever texts hold, the page has only its own tags and attributes, and the text is read as it was written."""
    catalog = Catalog(
        customers=[Customer(id=text, billing_time_zone="America/New_York")],
        batches=[Batch(id=text, customer=text)],
        products=[Product(id=text, currency="USD")],
        distributors=[Distributor(id=text, currency="USD", commission=0)],
        roles=[text],
    )
    accounts = [
        attrs.evolve(_CARD, batch=text, customer=text, product=text, distributor=text, contact={text: text}),
        attrs.evolve(_CARD, id=text, batch=text, customer=text, product=text, contact={text: text}, balance=0),
    ]
    spec = UpdateSpec(
        activation=ActivateNow(),
        charge=Charge(Money(1, "USD"), comment=text, internal_comment=text, reference=text),
        associated_number=text,
        role=text,
    )
    where = AccountFilter(batch=text, customer=text, product=text, contact={text: text}, control_numbers="1-5")
    store = MemoryStore(accounts)
    plan = plan_update(store, where, spec, catalog=catalog, now=_NOW, actor=text, reason=text)
    page = _Page(plan.to_html(show_ids=True))
    assert {tag for tag, _ in page.tags} <= set(
        "html head meta title style body h1 h2 p section table tr th td".split()
    )
    assert {name for _, names in page.tags for name in names} <= {"lang", "charset", "class", "scope"}
    assert page.headings == [f'Plan {plan.id}: update accounts of batch "{text}"'] * 2
    assert dict(page.sections["Which accounts"])["batch"] == text
    assert dict(page.sections["What is set"])["associated number"] == text
    assert f"distributor {text}" in dict(page.sections["Money"])
    assert _SCRIPT not in plan.to_html(show_ids=True)


def test_a_page_stands_alone() -> None:
    """The page names its language and encoding, and loads nothing from anywhere."""
    page = _plan().to_html()
    assert page.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert re.findall(r"https?:|url\(|@import|<link|<script", page) == []


@pytest.mark.parametrize("text", ["a\nREFUSED", "a\n\nWARNINGS\n  !  all is well", "a\r\nb"])
def test_no_text_makes_a_line_of_its_own(text: str) -> None:
    """A comment with line ends stays on its row, and cannot pass for a line of the confirmation."""
    plain = _plan(UpdateSpec(charge=Charge(Money("1.10", "USD"), comment="a")))
    forged = _plan(UpdateSpec(charge=Charge(Money("1.10", "USD"), comment=text)))
    assert len(forged.confirmation().splitlines()) == len(plain.confirmation().splitlines())


def test_no_text_moves_the_cursor() -> None:
    """A control character of a comment is not sent to the terminal of whoever confirms."""
    plan = _plan(UpdateSpec(charge=Charge(Money("1.10", "USD"), comment="a\x1b[2Jb\bc\x9b")))
    assert [letter for letter in plan.confirmation() if unicodedata.category(letter) == "Cc" and letter != "\n"] == []


def test_every_outcome_of_a_plan_is_counted() -> None:
    """A plan foresees applied, unchanged and refused, and the confirmation has a row for each."""
    spec = UpdateSpec(opening_balance=Money("10.00", "USD"), role="default")
    plan = _plan(spec, accounts=[_CARD, attrs.evolve(_CARD, id="2", role="default", control_number=2)])
    assert plan.totals.counts == {Outcome.APPLIED: 1, Outcome.UNCHANGED: 1, Outcome.REFUSED: 0}
    assert _sections(plan)["How many accounts"] == {
        "selected": "2",
        "to change": "1",
        "unchanged": "1",
        "refused": "0",
        "role changes": "1",
    }
