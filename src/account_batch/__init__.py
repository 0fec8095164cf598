"""Change many telecom accounts of a batch at once, safely: plan, show to a person, apply exactly that plan, once."""

from account_batch import errors
from account_batch.account import Account, AccountKind, AccountState, Entitlements, UnifiedMessaging
from account_batch.catalog import Batch, Catalog, Customer, Distributor, Product, Site, Subscription
from account_batch.decision import (
    Effect,
    EffectKind,
    NoteCode,
    Outcome,
    RefusalCode,
    Transaction,
    TransactionKind,
)
from account_batch.executor import ApplyPolicy, apply_plan
from account_batch.filters import AccountFilter, ControlNumbers, Registration, StatusFilter, TextMatch
from account_batch.money import Money
from account_batch.plan import AccountChange, FieldChange, Plan
from account_batch.planner import plan_due, plan_update
from account_batch.report import Report
from account_batch.spec import (
    CLEAR,
    KEEP,
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

__all__ = [
    "CLEAR",
    "KEEP",
    "Account",
    "AccountChange",
    "AccountFilter",
    "AccountKind",
    "AccountState",
    "ActivateNow",
    "ActivateOn",
    "ApplyPolicy",
    "AssignAddons",
    "AssignDistributor",
    "Batch",
    "Catalog",
    "Charge",
    "ControlNumbers",
    "Customer",
    "Distributor",
    "Effect",
    "EffectKind",
    "Entitlements",
    "ExpireOn",
    "FieldChange",
    "MemoryStore",
    "Money",
    "NoteCode",
    "Outcome",
    "Plan",
    "Product",
    "Refund",
    "RefusalCode",
    "Registration",
    "RemoveAddons",
    "ReplaceAddons",
    "Report",
    "Site",
    "StatusChange",
    "StatusFilter",
    "Subscription",
    "TextMatch",
    "Transaction",
    "TransactionKind",
    "UnifiedMessaging",
    "UpdateSpec",
    "apply_plan",
    "errors",
    "plan_due",
    "plan_update",
]
