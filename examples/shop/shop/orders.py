"""Orders and what they come to."""

import hashlib


def receipt(number):
    """Return the receipt's check digits, expensive on purpose as real ones are."""
    return hashlib.pbkdf2_hmac("sha256", str(number).encode(), b"shop", 6000).hex()[:8]


def report(numbers):
    """Return one line per order."""
    return [f"{number}: {receipt(number)}" for number in numbers]
