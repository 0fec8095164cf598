"""The few names that drawn values share, so that filters meet accounts, and settings what is set already."""

__all__ = [
    "ACCOUNT_ROLES",
    "ADDONS",
    "BATCHES",
    "CURRENCIES",
    "CUSTOMERS",
    "DISTRIBUTORS",
    "LANGUAGES",
    "MONTHS",
    "NUMBERS",
    "PRODUCTS",
    "ROLES",
    "SITES",
    "TEXTS",
    "TIME_ZONES",
    "ZONES",
]

# The first of each is the plainest: it is what strategies shrink to.
ACCOUNT_ROLES = ("phone line", "calling card")
ADDONS = ("call-waiting", "voicemail", "fax")
BATCHES = ("SUMMER-2026", "WINTER-2026", "summer-2026")
CURRENCIES = ("USD", "EUR", "JPY", "KWD", "CLF")
CUSTOMERS = ("acme", "dnipro", "kiwi")
DISTRIBUTORS = ("north", "south")
LANGUAGES = ("en", "uk")
MONTHS = (3, 6, 12)
NUMBERS = ("18005551234", "18005559999")
PRODUCTS = ("gold", "silver", "bronze")
ROLES = ("default", "boss")
SITES = ("hq", "lab", "lviv")
TEXTS = ("red", "Red", "x%")
TIME_ZONES = ("America/New_York", "Asia/Kathmandu")
ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Kyiv",
    "Pacific/Auckland",
    "Asia/Kathmandu",
    "America/Havana",
    "Asia/Beirut",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
)
"""Days without midnight (Beirut), with two (Havana), skipped (Apia, Kiritimati), and both ends of the world."""
