"""The billing database of a made-up telecom operator, grown over twenty years, and what its rows mean.

What a row means is said twice: as a mapping for the library, and in plain Python, which the tests believe.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from operator import itemgetter
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    case,
    func,
    inspect,
    literal,
    select,
    text,
    type_coerce,
)

from account_batch import (
    Account,
    AccountKind,
    AccountState,
    Batch,
    Catalog,
    Customer,
    Distributor,
    Product,
    Subscription,
    TransactionKind,
    UnifiedMessaging,
)
from account_batch.stores.sql import SqlStore
from account_batch.stores.sql.mapping import (
    AccountMapping,
    AddonTable,
    Field,
    LedgerTable,
    amount,
    coded,
    column,
    constant,
    enabled_date,
    instant_date,
    zero_date,
)
from account_batch.stores.sql.types import Instant

__all__ = ["BATCH", "CATALOG", "NEVER", "NOW", "SERVICES", "Legacy", "Row", "population"]

Row: TypeAlias = Mapping[str, Any]
"""A row as plain SQL has it: whole numbers, amounts as Decimal, dates and instants as text."""

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""In Auckland it is the 24th already."""

BATCH = "RUN-2026/11"

NEVER = "0000-00-00"
"""What a date holds for none; PostgreSQL has no such date, and the year 1 in its place."""

_YEAR_ONE = "0001-01-01"

CATALOG = Catalog(
    customers=[
        Customer(id="lakeside", billing_time_zone="America/Toronto"),
        Customer(id="harbour", billing_time_zone="Pacific/Auckland"),
        Customer(id="nile", billing_time_zone="Africa/Cairo"),
    ],
    batches=[Batch(id=BATCH, customer="lakeside"), Batch(id="OLD", customer="harbour")],
    products=[
        Product(id="10", currency="CAD", allowed_addons=["VM", "CW", "FAX"]),
        Product(
            id="20",
            currency="CAD",
            allowed_addons=["VM", "CW"],
            subscription=Subscription(in_advance=True, fee=Decimal("9.99")),
        ),
        *(Product(id=name, currency="CAD", is_addon=True) for name in ("VM", "CW", "FAX")),
    ],
    distributors=[
        Distributor(id="501", currency="CAD", commission=Decimal("0.15")),
        Distributor(id="502", currency="CAD", commission=Decimal("0.5")),
    ],
    ivr_languages=["en", "fr"],
)
_ZONES = {customer.id: customer.billing_time_zone for customer in CATALOG.customers}
_SERVER = "Europe/Berlin"

_KINDS: Mapping[Any, AccountKind] = {1: AccountKind.DEBIT, 2: AccountKind.CREDIT, 3: AccountKind.VOUCHER}
_MESSAGING: Mapping[Any, UnifiedMessaging] = {
    None: UnifiedMessaging.BY_PRODUCT,
    1: UnifiedMessaging.YES,
    0: UnifiedMessaging.NO,
}
_BOOKINGS: Mapping[Any, TransactionKind] = {
    "CH": TransactionKind.CHARGE,
    "RF": TransactionKind.REFUND,
    "DC": TransactionKind.DISTRIBUTOR_CHARGE,
}
_MONEY = {"saldo": Decimal("0.01"), "amount": Decimal("0.00001")}


class Legacy:
    """The database with its tables, a mapping onto them, and a way around the library.

    Args:
        engine: Where it is.
        key: The column that identifies a subscriber: its number, or its PIN.
        metadata: Where the tables are registered.
    """

    def __init__(self, engine: Engine, key: str = "id") -> None:
        self.engine = engine
        self.metadata = MetaData()
        self._dialect = engine.dialect.name
        owned = String(20) if key == "pin" else Integer()
        self.subscriber = Table(
            "subscriber",
            self.metadata,
            Column("id", Integer, primary_key=key == "id", autoincrement=False, nullable=False),
            Column("pin", String(20), primary_key=key == "pin", unique=key != "pin", nullable=False),
            Column("print_run", String(40), nullable=False),
            Column("serial_no", Integer, nullable=False),
            Column("owner", String(20), nullable=False),
            Column("kind", SmallInteger, nullable=False),
            Column("life", String(8), nullable=False),
            Column("closed", SmallInteger, nullable=False),
            Column("enabled", String(1), nullable=False),
            Column("web_login", String(40)),
            Column("email", String(60), nullable=False),
            Column("colour", String(20)),
            Column("initial_cents", Integer, nullable=False),
            Column("saldo", Numeric(12, 2), nullable=False),
            Column("starts_on", Date, nullable=False),
            Column("expires", String(1), nullable=False),
            Column("expires_at", DateTime),
            Column("grace_days", Integer, nullable=False),
            Column("first_call", DateTime, nullable=False),
            Column("last_topup", DateTime),
            Column("tariff", Integer, nullable=False),
            Column("forward_to", String(20), nullable=False),
            Column("messaging", SmallInteger),
            Column("lang", String(2)),
            Column("dealer", Integer),
            Column("remark", String(100)),
        )
        self.key = self.subscriber.c[key]
        self.service = Table(
            "subscriber_service",
            self.metadata,
            Column("subscriber", owned, primary_key=True),
            Column("code", String(8), primary_key=True),
        )
        self.payment = Table(
            "payment",
            self.metadata,
            Column("number", Integer, primary_key=True),
            Column("subscriber", owned, nullable=False),
            Column("code", String(2), nullable=False),
            Column("amount", Numeric(15, 5), nullable=False),
            Column("memo", String(100), nullable=False),
            Column("ref", String(40)),
            Column("dealer", Integer),
            Column("job", String(36)),
            Column("booked_at", DateTime, nullable=False),
            Column("channel", String(8), nullable=False),
        )

    @cached_property
    def mapping(self) -> AccountMapping:
        """What the library is told."""
        user, payment = self.subscriber.c, self.payment.c
        never = _YEAR_ONE if self._dialect == "postgresql" else NEVER
        cents = amount(user.initial_cents, minor_digits=2)
        return AccountMapping(
            table=self.subscriber,
            key=self.key,
            fields={
                "id": column(user.pin),
                "batch": column(user.print_run),
                "control_number": column(user.serial_no),
                "customer": column(user.owner),
                "kind": coded(user.kind, _KINDS),
                "currency": constant("CAD"),
                "state": self._state(),
                "blocked": coded(user.enabled, {"N": True, "Y": False}),
                "registered": Field(read=user.web_login.is_not(None)),
                "opening_balance": cents,
                "balance": self._balance(),
                "activation_date": zero_date(user.starts_on, never),
                "expiration_date": enabled_date(
                    user.expires, instant_date(user.expires_at, _ZONES, customer=user.owner)
                ),
                "availability_days": column(user.grace_days),
                "first_used_on": instant_date(
                    user.first_call, _ZONES, customer=user.owner, sentinel=f"{never} 00:00:00"
                ),
                "last_recharged_on": instant_date(user.last_topup, _ZONES, customer=user.owner, stored_in=_SERVER),
                "product": column(user.tariff),
                "associated_number": column(user.forward_to),
                "unified_messaging": coded(user.messaging, _MESSAGING),
                "ivr_language": column(user.lang),
                "distributor": column(user.dealer),
            },
            addons=AddonTable(table=self.service, account=self.service.c.subscriber, addon=self.service.c.code),
            contact={"email": user.email},
            custom_fields={"colour": user.colour},
            ledger=LedgerTable(
                table=self.payment,
                account=payment.subscriber,
                fields={
                    "account_id": Field(
                        read=select(user.pin).where(self.key == payment.subscriber).scalar_subquery(),
                    ),
                    "kind": self._booking(),
                    "amount": amount(payment.amount),
                    "currency": constant("CAD"),
                    "comment": column(payment.memo),
                    "reference": column(payment.ref),
                    "distributor": column(payment.dealer),
                    "plan_id": column(payment.job),
                    "at": self._booked_at(),
                },
            ),
        )

    def _state(self) -> Field:
        """A status in two columns."""
        user = self.subscriber.c
        return Field(
            read=case((user.closed != 0, "closed"), (user.life == "live", "open"), else_="inactive"),
            write=lambda state: {
                user.closed: case((state == "closed", 1), else_=0),
                user.life: case((state == "open", "live"), (state == "inactive", "new"), else_=user.life),
            },
        )

    def _balance(self) -> Field:
        """What a credit account owes is kept as less than nothing."""
        user = self.subscriber.c
        saldo = amount(user.saldo)
        write = saldo.write
        assert write is not None
        return Field(
            read=case((user.kind == 2, -saldo.read), else_=saldo.read),
            write=lambda balance: write(case((user.kind == 2, -balance), else_=balance)),
            places=saldo.places,
        )

    def _booking(self) -> Field:
        """The kind of a payment; where it came from is a constant that is written with it."""
        payment = self.payment.c
        code = coded(payment.code, _BOOKINGS)
        write = code.write
        assert write is not None
        return Field(read=code.read, write=lambda kind: {**write(kind), payment.channel: literal("BATCH")})

    def _booked_at(self) -> Field:
        at = self.payment.c.booked_at
        match self._dialect:
            case "sqlite":
                return Field(read=type_coerce(at, Instant()), write=lambda now: {at: func.datetime(now)})
            case "postgresql":
                return Field(read=type_coerce(at, Instant()), write=lambda now: {at: func.timezone("UTC", now)})
            case _:
                return Field(read=type_coerce(at, Instant()), write=lambda now: {at: now})

    def store(self, mapping: AccountMapping | None = None) -> SqlStore:
        """A store over these tables, with its journal."""
        return SqlStore(self.engine, mapping or self.mapping).create()

    def empty(self) -> None:
        """Take all rows away, those of the journal too."""
        with self.connected() as connection:
            for name in inspect(connection).get_table_names():
                connection.execute(text(f"DELETE FROM {name}"))  # noqa: S608  # The name comes from the database.

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A transaction of the operator's own programs."""
        with self.engine.begin() as connection:
            yield connection

    def run(self, statement: str, **values: object) -> None:
        """One statement of the operator's own programs."""
        with self.connected() as connection:
            connection.execute(text(statement), values)

    def fill(self, rows: Iterable[Row], services: Mapping[int, Iterable[str]] = {}) -> None:  # Read only.
        """Put subscribers in, with their services by number, past the library."""
        rows = list(rows)
        keys = {row["id"]: row[self.key.name] for row in rows}
        self._insert("subscriber", rows)
        codes = [
            {"subscriber": keys[number], "code": code} for number, codes in services.items() for code in sorted(codes)
        ]
        self._insert("subscriber_service", codes)

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        names = ", ".join(rows[0])
        places = ", ".join(f":{name}" for name in rows[0])
        raw = [{name: self._to_database(value) for name, value in row.items()} for row in rows]
        with self.connected() as connection:
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), raw)  # noqa: S608

    def _to_database(self, value: object) -> object:
        if isinstance(value, Decimal):
            return str(value) if self._dialect == "sqlite" else value
        if isinstance(value, str) and value.startswith(NEVER) and self._dialect == "postgresql":
            return value.replace(NEVER, _YEAR_ONE)
        return value

    def rows(self) -> dict[int, Row]:
        """All subscribers as they are now, by number."""
        return {row["id"]: row for row in sorted(self._read("subscriber"), key=itemgetter("id"))}

    def services(self) -> dict[Any, set[str]]:
        """The services of every subscriber that has any, by its key."""
        found: dict[Any, set[str]] = {}
        for row in self._read("subscriber_service"):
            found.setdefault(row["subscriber"], set()).add(row["code"])
        return found

    def payments(self) -> list[Row]:
        """All payments, without their numbers, by subscriber and code."""
        rows = [{name: value for name, value in row.items() if name != "number"} for row in self._read("payment")]
        return sorted(rows, key=itemgetter("subscriber", "code"))

    def _read(self, table: str) -> list[Row]:
        with self.connected() as connection:
            rows = connection.execute(text(f"SELECT * FROM {table}")).mappings().all()  # noqa: S608
        return [{name: _plain(name, value) for name, value in row.items()} for row in rows]

    def accounts(self) -> dict[str, Account]:
        """The accounts that the rows are, computed without the library's SQL."""
        services = self.services()
        return {row["pin"]: _account(row, services.get(row[self.key.name], set())) for row in self.rows().values()}


def _plain(name: str, value: object) -> object:
    if name in _MONEY:
        return Decimal(str(value)).quantize(_MONEY[name])
    if isinstance(value, date):
        value = str(value)
    return value.replace(_YEAR_ONE, NEVER) if isinstance(value, str) else value


def _account(row: Row, services: Iterable[str]) -> Account:
    zone = _ZONES.get(row["owner"], "UTC")

    def day(at: str | None, clock: str = "UTC") -> date | None:
        if at is None or at.startswith(NEVER):
            return None
        return datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(clock)).astimezone(ZoneInfo(zone)).date()

    state = AccountState.OPEN if row["life"] == "live" else AccountState.INACTIVE
    return Account(
        id=row["pin"],
        batch=row["print_run"] or None,
        control_number=row["serial_no"] or None,
        customer=row["owner"],
        kind=_KINDS[row["kind"]],
        state=AccountState.CLOSED if row["closed"] else state,
        blocked=row["enabled"] == "N",
        registered=row["web_login"] is not None,
        currency="CAD",
        opening_balance=Decimal(row["initial_cents"]) / 100,
        balance=-row["saldo"] if row["kind"] == 2 else row["saldo"],
        activation_date=None if row["starts_on"] == NEVER else row["starts_on"],
        expiration_date=day(row["expires_at"]) if row["expires"] == "Y" else None,
        availability_days=row["grace_days"] or None,
        first_used_on=day(row["first_call"]),
        last_recharged_on=day(row["last_topup"], _SERVER),
        product=str(row["tariff"]),
        addons=services,
        associated_number=(row["forward_to"].strip() and row["forward_to"]) or None,
        unified_messaging=_MESSAGING[row["messaging"]],
        ivr_language=row["lang"],
        distributor=None if row["dealer"] is None else str(row["dealer"]),
        contact={"email": row["email"]} if row["email"] else {},
        custom_fields={"colour": row["colour"]} if row["colour"] else {},
    )


def population(count: int = 240) -> list[Row]:
    """Subscribers in whom every habit of the tables meets every other one, most of them in one batch."""

    def pick(place: int, step: int, *values: Any) -> Any:
        return values[place // step % len(values)]

    return [
        {
            "id": n,
            "pin": f"{pick(n, 1, '44', 'a%', 'B_', '''O'x''')}{n:04}",
            "print_run": pick(n, 1, *[BATCH] * 9, "OLD", "", "run-2026/11", f"{BATCH} "),
            "serial_no": pick(n, 1, n + 1, n + 1, n + 1, n, 0),
            "owner": pick(n, 5, "lakeside", "harbour", "nile", "lakeside", "stranger"),
            "kind": pick(n, 1, 1, 1, 1, 2, 3),
            "life": pick(n, 1, "live", "new", "live", "new", "live", "live", "new"),
            "closed": pick(n, 1, *[0] * 7, 1),
            "enabled": pick(n, 4, "Y", "N", "Y"),
            "web_login": pick(n, 3, None, "ann", None),
            "email": pick(n, 6, "", "ann@example.org", "Ann@example.org"),
            "colour": pick(n, 11, None, "red", ""),
            "initial_cents": pick(n, 3, 1500, 0, 777, 2000),
            "saldo": pick(n, 7, *map(Decimal, ("15.00", "0.99", "-3.00", "1.00", "0.00", "100000.01"))),
            "starts_on": pick(n, 3, NEVER, "2026-11-22", "2026-11-23", "2026-11-24", "2026-12-01"),
            "expires": pick(n, 2, "N", "Y", "Y"),
            "expires_at": pick(
                n,
                5,
                None,
                "2026-11-23 05:00:00",  # The first instant of the 23rd in Toronto.
                "2026-11-23 04:59:59",
                "2026-11-23 11:00:00",  # The first instant of the 24th in Auckland.
                "2027-04-29 22:00:00",  # Of the 30th in Cairo, where that day has no midnight.
                "2027-06-30 00:00:00",
            ),
            "grace_days": pick(n, 4, 0, 1, 30, 90),
            "first_call": pick(
                n, 11, f"{NEVER} 00:00:00", f"{NEVER} 00:00:00", "2026-11-22 23:59:59", "2026-08-25 12:00:00"
            ),
            "last_topup": pick(n, 9, None, "2026-11-22 23:30:00", "2026-11-01 00:00:00", "2026-07-01 05:59:59"),
            "tariff": pick(n, 2, 10, 10, 20, 99),
            "forward_to": pick(n, 6, "", "18005551234", " ", "18005551234 "),
            "messaging": pick(n, 4, None, 1, 0),
            "lang": pick(n, 3, None, "en", "EN"),
            "dealer": pick(n, 5, None, 501, 502, None),
            "remark": pick(n, 2, None, "née Ünal 🙂"),
        }
        for n in range(count)
    ]


SERVICES: Mapping[int, set[str]] = {
    n: services for n in range(240) if (services := (set(), {"CW"}, {"VM", "CW"}, {"FAX"}, {"vm"})[n // 3 % 5])
}
"""The services of the population, by number."""
