"""What people write instead: statements by hand, a loop over ORM objects, Django's bulk_update.

All of them change the rows that the library changes for campaign.SETTINGS or campaign.CHARGE, to the same values, and
keep the old ones in a journal of their own. None of them finds out whether a row is still what somebody looked at, or
whether it was done before.

Django, which keeps its settings per process, runs by itself: python tests/bench/rivals.py URL prints the seconds.
"""

# ruff: noqa: E402  # Run as a script, it has to find the folder of tests first.
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    Engine,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    and_,
    case,
    create_engine,
    insert,
    literal,
    make_url,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Session

sys.path[:0] = [str(Path(__file__).parents[1])]

from account_batch import UpdateSpec
from bench.campaign import CHARGE, DAYS, EVE, EXPIRATION

__all__ = ["by_django", "by_hand", "by_orm", "contents", "has_django"]

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
_AMOUNT = Numeric(20, 5).with_variant(BigInteger(), "sqlite")
_LARGE = 1_000
_TABLES = MetaData()
_ACCOUNTS = Table(
    "accounts",
    MetaData(),
    Column("key", _NUMBER, primary_key=True),
    Column("id", String(255)),
    Column("batch", String(255)),
    Column("state", String(255)),
    Column("kind", String(255)),
    Column("currency", String(255)),
    Column("balance", _AMOUNT),
    Column("activation_date", Date),
    Column("expiration_date", Date),
    Column("availability_days", _NUMBER),
    Column("blocked", Boolean),
    Column("ivr_language", String(255)),
    Column("role", String(255)),
)
_JOURNAL = Table(
    "bench_journal",
    _TABLES,
    Column("account", _NUMBER, primary_key=True, autoincrement=False),
    Column("account_id", String(255)),
    Column("expiration_date", Date),
    Column("availability_days", _NUMBER),
    Column("blocked", Boolean),
    Column("ivr_language", String(255)),
    Column("role", String(255)),
    Column("balance", _AMOUNT),
)
_LEDGER = Table(
    "bench_ledger",
    _TABLES,
    Column("number", _NUMBER, primary_key=True),
    Column("account", _NUMBER),
    Column("account_id", String(255)),
    Column("kind", String(255)),
    Column("amount", _AMOUNT),
    Column("currency", String(255)),
    Column("comment", String(255)),
    Column("reference", String(255)),
    Index("bench_ledger_reference", "reference", "account"),
)
_A = _ACCOUNTS.c
_NEW: dict[str, object] = {
    "expiration_date": EXPIRATION,
    "availability_days": DAYS,
    "blocked": False,
    "ivr_language": "en",
    "role": "default",
}


def by_hand(url: URL, spec: UpdateSpec) -> float:
    """The seconds that the bare statements take, in one transaction: keep the old values, book the charge, update."""
    charged = spec == CHARGE
    new = {name: value for name, value in _NEW.items() if not (charged and name == "role")}
    with _prepared(url) as engine:
        one: int | Decimal = 100_000 if engine.dialect.name == "sqlite" else Decimal(1)
        meant = and_(
            _A.batch == "B",
            _A.state != "closed",
            or_(_A.state != "inactive", _A.activation_date.is_(None), _A.activation_date <= EVE),
            or_(_A.kind != "debit", _A.balance >= one) if charged else _differs(),
        )
        old = (
            _A.key,
            _A.id,
            _A.expiration_date,
            _A.availability_days,
            _A.blocked,
            _A.ivr_language,
            _A.role,
            _A.balance,
        )
        entry = (
            _A.key,
            _A.id,
            literal("charge"),
            literal(one, _AMOUNT),
            _A.currency,
            literal("SIM fee"),
            literal("fee"),
        )
        values: dict[str, object] = dict(new)
        if charged:
            values["balance"] = case((_A.kind == "debit", _A.balance - one), else_=_A.balance + one)
        start = perf_counter()
        with engine.begin() as connection:
            connection.execute(
                insert(_JOURNAL).from_select([column.name for column in _JOURNAL.c], select(*old).where(meant))
            )
            if charged:
                names = [column.name for column in _LEDGER.c if column.name != "number"]
                connection.execute(insert(_LEDGER).from_select(names, select(*entry).where(meant)))
            connection.execute(update(_ACCOUNTS).where(meant).values(values))
        return perf_counter() - start


def by_orm(url: URL) -> float:
    """The seconds that SQLAlchemy's ORM takes for campaign.SETTINGS: an object per row, a commit per 1,000."""

    class Base(DeclarativeBase):
        pass

    class Account(Base):
        __table__ = _ACCOUNTS.to_metadata(Base.metadata)

    class Journal(Base):
        __table__ = _JOURNAL.to_metadata(Base.metadata)

    with _prepared(url) as engine:
        start = perf_counter()
        last = 0
        with Session(engine, expire_on_commit=False) as session:
            while rows := _page(session, Account, last):
                for row in rows:
                    if _is_meant(row):
                        session.add(Journal(account=row.key, account_id=row.id, **_old(row)))
                        for name, value in _NEW.items():
                            setattr(row, name, value)
                last = rows[-1].key
                session.commit()
                session.expunge_all()
        return perf_counter() - start


def _page(session: Session, kind: type[Any], last: int) -> list[Any]:
    """The next 1,000 objects."""
    wanted = select(kind).where(kind.batch == "B", kind.key > last).order_by(kind.key).limit(_LARGE)
    return list(session.scalars(wanted))


def has_django() -> bool:
    """Whether Django is installed; it is no dependency of this project."""
    return find_spec("django") is not None


def by_django(url: URL) -> float:
    """The seconds that Django's bulk_update takes for campaign.SETTINGS."""
    with _prepared(url):
        pass
    command = [sys.executable, __file__, url.render_as_string(hide_password=False)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _run_django(url: URL) -> float:
    name = url.get_backend_name()
    vendor = {"sqlite": "sqlite3", "postgresql": "postgresql"}.get(name, "mysql")
    if vendor == "mysql":
        import_module("pymysql").install_as_MySQLdb()
    where = {"HOST": url.host, "PORT": url.port, "USER": url.username, "PASSWORD": url.password}
    database: dict[str, str | int | None] = {"ENGINE": f"django.db.backends.{vendor}", "NAME": url.database}
    database |= {key: value for key, value in where.items() if value is not None}
    import_module("django.conf").settings.configure(DATABASES={"default": database}, USE_TZ=True)
    import_module("django").setup()
    models, transaction = import_module("django.db.models"), import_module("django.db.transaction")

    def settings() -> dict[str, Any]:
        return {
            "expiration_date": models.DateField(null=True),
            "availability_days": models.BigIntegerField(null=True),
            "blocked": models.BooleanField(),
            "ivr_language": models.TextField(null=True),
            "role": models.TextField(null=True),
        }

    def model(table: str, **fields: Any) -> Any:
        meta = type("Meta", (), {"managed": False, "db_table": table, "app_label": "bench"})
        return type(table.title().replace("_", ""), (models.Model,), {"Meta": meta, "__module__": "bench", **fields})

    accounts = model(
        "accounts",
        key=models.BigIntegerField(primary_key=True),
        id=models.TextField(),
        batch=models.TextField(),
        state=models.TextField(),
        activation_date=models.DateField(null=True),
        **settings(),
    )
    journal = model(
        "bench_journal", account=models.BigIntegerField(primary_key=True), account_id=models.TextField(), **settings()
    )
    start = perf_counter()
    with transaction.atomic():
        rows = [row for row in accounts.objects.filter(batch="B").order_by("key") if _is_meant(row)]
        journal.objects.bulk_create(
            [journal(account=row.key, account_id=row.id, **_old(row)) for row in rows], batch_size=_LARGE
        )
        for row in rows:
            for name, value in _NEW.items():
                setattr(row, name, value)
        accounts.objects.bulk_update(rows, list(_NEW), batch_size=_LARGE)
    return perf_counter() - start


def contents(url: URL) -> str:
    """A digest of what the accounts hold in all that is changed here."""
    names = ["id", *_NEW, "balance"]
    digest = sha256()
    with _engine(url) as engine, engine.connect() as connection:
        rows = connection.execution_options(yield_per=10_000).execute(
            select(*(_A[name] for name in names)).order_by(_A.key)
        )
        for row in rows:
            digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def _differs() -> ColumnElement[bool]:
    return or_(
        _A.expiration_date.is_distinct_from(EXPIRATION),
        _A.availability_days.is_distinct_from(DAYS),
        _A.blocked == true(),
        _A.ivr_language.is_distinct_from("en"),
        _A.role.is_distinct_from("default"),
    )


def _is_meant(row: Any) -> bool:
    """Whether campaign.SETTINGS changes an account, which is read from an object of either ORM."""
    if row.state == "closed" or all(getattr(row, name) == value for name, value in _NEW.items()):
        return False
    return row.state != "inactive" or row.activation_date is None or bool(row.activation_date <= EVE)


def _old(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _NEW}


@contextmanager
def _prepared(url: URL) -> Iterator[Engine]:
    """An engine that is connected, with the journal and ledger of this module made."""
    with _engine(url) as engine:
        _TABLES.create_all(engine)
        yield engine


@contextmanager
def _engine(url: URL) -> Iterator[Engine]:
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


if __name__ == "__main__":
    print(_run_django(make_url(sys.argv[1])))
