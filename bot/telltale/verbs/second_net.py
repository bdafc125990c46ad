"""
What a report says is searched once more for secrets, by a library's rules.

The bundle was redacted where it was made, by whatever wrote it: an older
Telltale, a stranger's pull request. Here, before anything is posted or
kept, our own rules run again and beside them those of detect-secrets, which
know other tokens. Its rules of entropy and keywords are left out: they take
commits, signatures and digests for secrets.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from telltale.capture import cleaning
from telltale.capture.redact import HIDDEN, Redactor
from telltale.records import Record

_RULES = (
    # module under detect_secrets.plugins, and its class
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
_LINE = 4096
"""Characters that a rule sees at once: some of them are slow on a long line."""
_SHORTEST = 6


class Net(Redactor):
    """Our own rules, without anything known of a run, and the library's."""

    def __init__(self) -> None:
        """Import the library: a sixth of a second, spent by those that report alone."""
        super().__init__({})
        self._rules = tuple(_rules())

    def lines(self, data: bytes, *, inside_key: bool) -> tuple[bytes, bool]:
        """Return the bytes without what either takes for a secret."""
        data, inside_key = super().lines(data, inside_key=inside_key)
        return self._by_library(data), inside_key

    def secrets(self, text: str) -> str:
        """Return a name without what either takes for a secret."""
        kept = super().secrets(text).encode("utf-8", "surrogatepass")
        return self._by_library(kept).decode("utf-8", "surrogatepass")

    def _by_library(self, data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        found = {secret for part in _parts(text) for secret in self._found(part)}
        # The longest first: one rule's find may lie within another's.
        for secret in sorted(found, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text.encode("utf-8", "surrogateescape")

    def _found(self, text: str) -> Iterator[str]:
        for rule in self._rules:
            for secret in rule.analyze_string(text):
                if len(secret) >= _SHORTEST and HIDDEN not in secret:
                    yield secret


def clean(record: Record) -> Record:
    """Return the record without what looks like a secret; signatures and commits stay."""
    net = _net()
    # Thousands of names are looked at in one go; they are innocent as a rule.
    names = "\n".join(test.nodeid for test in record.tests)
    if net.secrets(names) == names:
        return replace(cleaning.clean(replace(record, tests=()), net), tests=record.tests)
    return cleaning.clean(record, net)


@functools.cache
def _net() -> Net:
    return Net()


def _rules() -> Iterator[Any]:
    for module, name in _RULES:
        yield getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)()


def _parts(text: str) -> Iterator[str]:
    for line in re.split(r"[\r\n]", text):
        yield from (line[at : at + _LINE] for at in range(0, len(line), _LINE))
