"""
Secrets of a hundred kinds, made up anew, and texts that only look like some.

They are drawn when the tests run: no scanner takes this file for a leak, and
no rule can have been written for one of them.
"""

from __future__ import annotations

import base64
import json
import random
import string
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Draw = Callable[[str, int], str]
"""Draws so many characters of an alphabet."""

_DIGITS = string.digits
_LOWER = string.ascii_lowercase
_ALNUM = string.ascii_letters + _DIGITS
_URL = _ALNUM + "-_"
_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + "234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A made-up secret."""

    kind: str
    cores: tuple[str, ...]
    """What must be found nowhere."""
    line: str
    """How it shows up where nothing is known of it."""
    word: str = ""
    """The same as an argument of a command, when it can be one."""
    variable: str = ""
    """Under which name it may stand in the environment; a line of letters by default."""


def planted(seed: int) -> tuple[Planted, ...]:
    """Return one secret of each kind, others for another seed."""
    draw = random.Random(seed)  # noqa: S311

    def some(alphabet: str, size: int) -> str:
        # Never without a digit: that would be a word.
        return "".join(draw.choices(alphabet, k=size - 2)) + "7" + draw.choice(_DIGITS)

    return (
        *_tokens(some),
        *_named(some),
        *_keys(some),
        *_addresses(some),
    )


def _token(kind: str, text: str) -> Planted:
    return Planted(kind=kind, cores=(text,), line=f"got {text} back", word=text)


def _tokens(some: Draw) -> Iterator[Planted]:
    def part(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    jwt = (
        f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': some(_ALNUM, 12)})}.{some(_URL, 43)}"
    )
    yield _token("jwt", jwt)
    for kind, text in {
        "github-classic": "ghp" + "_" + some(_ALNUM, 36),
        "github-oauth": "gho" + "_" + some(_ALNUM, 36),
        "github-app": "ghs" + "_" + some(_ALNUM, 36),
        "github-refresh": "ghr" + "_" + some(_ALNUM, 76),
        "github-fine-grained": "github" + "_pat_" + some(_ALNUM, 22) + "_" + some(_ALNUM, 59),
        "gitlab": "glpat" + "-" + some(_URL, 20),
        "aws-id": "AKIA" + some(_UPPER, 16),
        "google-api": "AIza" + some(_URL, 35),
        "google-oauth": "ya29" + "." + some(_URL, 120),
        "slack-bot": "xoxb" + f"-{some(_DIGITS, 12)}-{some(_DIGITS, 12)}-{some(_ALNUM, 24)}",
        "stripe": "sk" + "_live_" + some(_ALNUM, 24),
        "stripe-webhook": "whsec" + "_" + some(_ALNUM, 32),
        "sendgrid": "SG" + f".{some(_URL, 22)}.{some(_URL, 43)}",
        "twilio-key": "SK" + some(_HEX, 32),
        "npm": "npm" + "_" + some(_ALNUM, 36),
        "pypi": "pypi" + "-" + some(_URL, 120),
        "docker": "dckr" + "_pat_" + some(_URL, 27),
        "hugging-face": "hf" + "_" + some(_ALNUM, 34),
        "openai": "sk" + "-proj-" + some(_URL, 74),
        "anthropic": "sk" + "-ant-api03-" + some(_URL, 95),
        "wandb": "wandb" + "_v1_" + some(_ALNUM, 60),
        "databricks": "dapi" + some(_HEX, 32),
        "heroku-key": "HRKU" + "-" + some(_ALNUM, 60),
        "digital-ocean": "dop" + "_v1_" + some(_HEX, 64),
        "telegram": f"{some(_DIGITS, 10)}:AA" + some(_URL, 33),
        "vault": "hvs" + "." + some(_URL, 90),
        "gitlab-runner": "glrt" + "-" + some(_URL, 20),
        "gitlab-registration": "GR1348941" + some(_URL, 20),
        "azure-entra": some(_ALNUM, 3) + "8Q" + "~" + some(_ALNUM + "_~.-", 34),
        "azure-shared": some(_ALNUM, 52) + "JQQJ" + "99" + some(_ALNUM, 26),
        "terraform": some(_ALNUM, 14) + ".atlas" + "v1." + some(_URL, 67),
        "grafana": "glsa" + "_" + some(_ALNUM, 32) + "_" + some(_HEX, 8),
        "sentry": "sntryu" + "_" + some(_HEX, 64),
        "new-relic": "NRAK" + "-" + some(_UPPER, 27),
        "linear": "lin" + "_api_" + some(_ALNUM, 40),
        "notion": "ntn" + "_" + some(_ALNUM, 46),
        "notion-old": "secret" + "_" + some(_ALNUM, 43),
        "shopify": "shpat" + "_" + some(_HEX, 32),
        "square": "sq0atp" + "-" + some(_URL, 22),
        "square-access": "EAAA" + some(_URL, 60),
        "mailgun": "key" + "-" + some(_HEX, 32),
        "mapbox": "sk" + f".{part({'u': some(_ALNUM, 8), 'a': some(_ALNUM, 24)})}.{some(_URL, 22)}",
        "postman": "PMAK" + f"-{some(_HEX, 24)}-{some(_HEX, 34)}",
        "doppler": "dp" + ".pt." + some(_ALNUM, 43),
        "one-password": "ops" + f"_{part({'signInAddress': some(_ALNUM, 200)})}",
        "neptune": part({"api_address": "https://app.example", "api_key": some(_HEX, 36)}),
        "supabase": "sbp" + "_" + some(_HEX, 40),
        "fly": "fo1" + "_" + some(_URL, 43),
        "replicate": "r8" + "_" + some(_ALNUM, 37),
        "groq": "gsk" + "_" + some(_ALNUM, 52),
        "perplexity": "pplx" + "-" + some(_ALNUM, 48),
        "xai": "xai" + "-" + some(_ALNUM, 80),
        "langsmith": "lsv2" + f"_pt_{some(_HEX, 32)}_{some(_HEX, 10)}",
        "pinecone": "pcsk" + f"_{some(_ALNUM, 6)}_{some(_ALNUM, 63)}",
        "nvidia": "nvapi" + "-" + some(_URL, 64),
        "kaggle": "KGAT" + "_" + some(_HEX, 32),
        "modal-id": "ak" + "-" + some(_ALNUM, 22),
        "modal-secret": "as" + "-" + some(_ALNUM, 22),
        "planet-scale": "pscale" + "_tkn_" + some(_URL, 43),
        "pulumi": "pul" + "-" + some(_HEX, 40),
        "crates": "cio" + some(_ALNUM, 32),
        "age": "AGE-SECRET" + "-KEY-1" + some(_UPPER, 58),
    }.items():
        yield _token(kind, text)


def _named(some: Draw) -> Iterator[Planted]:
    uuid = "-".join(some(_HEX, size) for size in (8, 4, 4, 4, 12))
    for kind, text, line in (
        ("aws-secret", some(_ALNUM + "+/", 40), "aws_secret_access_key = {}"),
        ("wandb-old", some(_HEX, 40), '{{"WANDB_API_KEY": "{}"}}'),
        ("datadog", some(_HEX, 32), "DD_API_KEY={}"),
        ("comet", some(_ALNUM, 25), "COMET_API_KEY: {}"),
        ("cohere", some(_ALNUM, 40), "co = Client(api_key='{}')"),
        ("fastly", some(_URL, 32), "Fastly-Key: {}"),
        ("heroku-uuid", uuid, "HEROKU_API_KEY={}"),
        ("cloudflare", some(_URL, 40), "  CF_API_TOKEN: {}"),
        ("twilio-auth", some(_HEX, 32), "{{'auth_token': '{}', 'n': 3}}"),
        ("azure-client", some(_ALNUM + "~._", 40), "client_secret={}&grant_type=x"),
        ("actions-runtime", some(_URL, 90), "ACTIONS_RUNTIME_TOKEN={}"),
        ("azure-storage", some(_ALNUM + "+/", 86) + "==", "AccountName=x;AccountKey={};Suffix=y"),
        ("shared-access", some(_ALNUM + "%", 44), "https://x.blob.example/c?sv=2024&sig={}&se=9"),
        ("netrc", some(_ALNUM, 20), "machine api.example login me password {}"),
        ("pypirc", some(_ALNUM, 24), "password = {}"),
        ("kube-token", some(_URL, 60), "    token: {}"),
        ("kube-key", some(_ALNUM + "+/", 200), "    client-key-data: {}"),
        ("cookie", some(_ALNUM, 32), "Set-Cookie: session={}; Path=/; HttpOnly"),
        ("bearer", some(_URL, 40), "> Authorization: Bearer {}"),
        ("header", some(_ALNUM, 30), "X-Api-Key: {}"),
        ("query", some(_ALNUM, 30), "GET /v1/items?page=2&access_token={} 200"),
        ("shell", some(_ALNUM + "!%", 14), "+ deploy --password {} --to prod"),
        ("quoted", some(_ALNUM + " ,;", 18), "password='{}'"),
        ("generic-key", some(_ALNUM, 16), "SIGNING_KEY={}"),
        ("passphrase", some(_ALNUM, 16), 'passphrase: "{}"'),
        ("in-json-text", some(_ALNUM, 16), r'"{{\"db_password\": \"{}\"}}"'),
    ):
        flag = ("--token", "--api-key")[len(kind) % 2]
        yield Planted(kind=kind, cores=(text,), line=line.format(text), word=f"{flag}={text}")
    basic = base64.b64encode(f"me:{(password := some(_ALNUM, 20))}".encode()).decode()
    yield Planted(
        kind="basic",
        cores=(basic, password),
        line=f"Authorization: Basic {basic}",
        word=f"--header=Authorization: Basic {basic}",
    )


def _keys(some: Draw) -> Iterator[Planted]:
    for kind in ("RSA PRIVATE", "EC PRIVATE", "OPENSSH PRIVATE", "PGP PRIVATE", "PRIVATE"):
        block = " BLOCK" if kind.startswith("PGP") else ""
        body = textwrap.wrap("MII" + some(_ALNUM + "+/", 300), 64)
        head, tail = (f"-----{word} {kind} " + f"KEY{block}-----" for word in ("BEGIN", "END"))
        text = "\n".join((head, *body, tail))
        yield Planted(kind=kind.lower(), cores=tuple(body), line=text, word=text)
    whole = "MII" + some(_ALNUM + "+/", 300)
    begin, end = (f"-----{word} PRIVATE " + "KEY-----" for word in ("BEGIN", "END"))
    account = {"type": "service_account", "private_key": f"{begin}\n{whole}\n{end}\n", "n": 1}
    said = json.dumps(account)
    yield Planted(kind="gcp-account", cores=(whole,), line=said, word=said)


def _addresses(some: Draw) -> Iterator[Planted]:
    password, dsn, hook, discord = (some(_ALNUM, size) for size in (18, 20, 24, 60))
    url = f"https://deploy:{password}@pypi.example/simple"
    yield Planted(kind="basic-auth-url", cores=(password,), line=f"from {url} now", word=url)
    key = some(_HEX, 32)
    url = f"https://{key}@o123.ingest.sentry.example/45"
    yield Planted(kind="sentry-dsn", cores=(key,), line=f"SENTRY_DSN={url}", word=url)
    url = f"postgresql://app:{dsn}@db.internal:5432/shop"
    yield Planted(kind="database", cores=(dsn,), line=f"connecting to {url}", word=url)
    url = f"https://hooks.slack.com/services/T{some(_UPPER, 8)}/B{some(_UPPER, 8)}/{hook}"
    yield Planted(kind="slack-hook", cores=(hook,), line=f"POST {url}", word=url)
    url = f"https://discord.com/api/webhooks/{some(_DIGITS, 18)}/{discord}"
    yield Planted(kind="discord-hook", cores=(discord,), line=f"POST {url}", word=url)


INNOCENT = (
    "8f14e45fceea167a5a36dedd4bea2543d2a3c8b1",
    "sha256:4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865",
    "run 123e4567-e89b-12d3-a456-426614174000 begins",
    "signature v1:1c7088244dc4a5be",
    "tests/test_auth.py::TestToken::test_password[api_key-secret]",
    "tests/test_token.py::test_a PASSED",
    "test_keys.py::test_key[token=0]",
    "--max-tokens 100 --tokenizer fast",
    "tokens: 128, tokens per second: 512.25",
    "loss=0.8444218515250481 lr=1e-4 step=1200",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kg",
    "https://github.com/octo/shop/actions/runs/101/artifacts/77?pr=7#step:3:1",
    "ssh key fingerprint SHA256 4096 bits",
    "torch==2.9.1+cu128 numpy==2.3.4",
    "Python 3.11.7 (main, Dec 8 2023, 18:56:58) [GCC 11.4.0]",
    "  File '/usr/lib/python3.11/site-packages/tokenizers/__init__.py', line 12, in <module>",
    "KeyError: 'customer'",
    "SyntaxError: invalid token: expected an identifier",
    "password: must not be empty",
    "def login(user: str, password: str, token: str | None = None) -> bool:",
    "    token = next(self.tokens)",
    "    api_key = os.environ['API_KEY']",
    "    secret = config.get('secret')",
    "    password = None",
    '    USER_PASSWD = "%s:%s" % (user, password)',
    "    token = $TOKEN, password: %(password)s, secret=%SECRET%",
    "assert token == expected_token",
    "primary_key=3, foreign_key=12, sort_key: name",
    "cache key: linux-py3.11-requirements",
    "2 passed, 1 failed in 3.21s",
    "--- PASS: TestPasswordReset (0.00s)",
    "PASS: test_all",
    "-----BEGIN CERTIFICATE-----",
    "author: Ada Lovelace, authenticated: yes",
    "test session starts: session_id=3",
    "commit=8f14e45fceea167a5a36dedd4bea2543d2a3c8b1 branch=main",
    "git@github.com:octo/shop.git",
    "mail ada@example.org about https://example.org/@ada",
    "AKIA is a prefix, ghp_ another, sk- a third",
    "basic understanding_of_things",
    "E       AssertionError: assert 'abc' == 'abd'",
    "\x1b[32mPASSED\x1b[0m [ 50%]",
    "module.TestSomethingVeryLongIndeed.test_of_it_all_2026_11_25",
    "key=value pairs and a=b",
)
