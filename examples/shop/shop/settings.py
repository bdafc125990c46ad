"""Settings, from the environment."""

import os


def currency():
    """Return the currency of all prices."""
    return os.environ.get("SHOP_CURRENCY", "EUR")
