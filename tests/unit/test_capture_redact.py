"""What must not get into a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale.capture import tokens
from telltale.capture.redact import HIDDEN, Redactor, secret_name
from telltale.patterns import pattern

# Put together here, so that no scanner takes this file for a leak.
TOKENS = {
    "github-classic": "ghp" + "_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8",
    "github-server": "ghs" + "_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8",
    "github-fine-grained": "github_pat" + "_" + "11ABCDEFG0abcdefghijkl_" + "m" * 59,
    "gitlab": "glpat" + "-" + "AbCdEfGhIjKlMnOpQrSt",
    "aws-id": "AKIA" + "IOSFODNN7EXAMPLE",
    "aws-session-id": "ASIA" + "IOSFODNN7EXAMPLE",
    "google": "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "google-oauth": "ya29" + ".a0AfH6SMBx-1234567890abcdef",
    "hugging-face": "hf" + "_" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345",
    "openai": "sk" + "-" + "proj-AbCdEfGhIjKlMnOpQrStUvWx",
    "anthropic": "sk" + "-" + "ant-api03-AbCdEfGhIjKlMnOpQrStUv",
    "stripe": "sk" + "_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "slack-bot": "xoxb" + "-" + "123456789012-abcdefABCDEF",
    "slack-hook": "https://hooks.slack.com" + "/services/T000/B000/XXXX",
    "discord-hook": "https://discord.com" + "/api/webhooks/123/abc-DEF",
    "npm": "npm" + "_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8",
    "pypi": "pypi" + "-" + "AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDAt",
    "docker": "dckr_pat" + "_" + "AbCdEfGhIjKlMnOpQrStUvWxYz0",
    "digital-ocean": "dop_v1" + "_" + "0123456789abcdef" * 4,
    "sendgrid": "SG" + ".AbCdEfGhIjKlMnOpQr.StUvWxYz0123456789AbCdEf",
    "azure": "AccountKey" + "=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789==",
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3",
    "private-key": "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "bearer": "Bearer " + "AbCdEfGhIjKlMnOpQrSt",
}
NAMES = [
    *("GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("WANDB_API_KEY", "HF_TOKEN", "MY_PASSPHRASE", "DB_PASSWORD", "PGPASSWORD", "MYSQL_PWD"),
    *("SENTRY_DSN", "DATABASE_CONNECTION_STRING", "API_KEY", "APIKEY", "SSH_PRIVATE_KEY"),
    *("SESSION_COOKIE", "BASIC_AUTH", "GCP_CREDENTIALS", "SLACK_WEBHOOK", "GH_PAT", "KEY"),
]
HARMLESS = [
    *("PWD", "OLDPWD", "PATH", "HOME", "PYTHONHASHSEED", "OMP_NUM_THREADS", "KEYBOARD"),
    *(
        "GITHUB_ACTOR",
        "MONKEY",
        "TURKEY_MODE",
        "COMPASS",
        "PYTEST_CURRENT_TEST",
        "XDG_SESSION_ID",
        "MAX_TOKENS",
        "TOKENIZERS_PARALLELISM",
        "GIT_AUTHOR_NAME",
        "SESSION_TIMEOUT",
    ),
]
plain = Redactor({})


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_well_known_tokens_are_hidden_wherever_they_are(token: str) -> None:
    for text in (token, f"see {token}, please", f"--option={token}", f'"{token}"'):
        found = plain.text(text)

        assert token not in found
        assert HIDDEN in found


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets_are_known(name: str) -> None:
    assert secret_name(name)
    assert plain.value(name, "short") == HIDDEN
    assert plain.value(name, "") == ""


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_are_let_be(name: str) -> None:
    assert not secret_name(name)


def test_a_secret_of_the_environment_is_hidden_under_any_name() -> None:
    redactor = Redactor({"DEPLOY_TOKEN": "correct-horse", "SHORT_KEY": "abc", "PLAIN": "battery"})

    assert redactor.text("curl -H x:correct-horse battery abc") == f"curl -H x:{HIDDEN} battery abc"
    assert redactor.value("HARMLESS", "a-correct-horse") == f"a-{HIDDEN}"


def test_what_would_take_ordinary_words_out_of_a_log_is_hidden_under_its_name_alone() -> None:
    redactor = Redactor({"PGPASSWORD": "postgres", "KEY_FILE": "/home/alice/key.pem"})

    text = "postgres reads /home/alice/key.pem"
    assert redactor.text(text) == text
    assert redactor.value("PGPASSWORD", "postgres") == HIDDEN


def test_what_pytest_shortens_is_hidden_as_well() -> None:
    redactor = Redactor({"A_TOKEN": "correct-horse-battery"})
    short = TOKENS["github-classic"][:12]

    assert redactor.text("E  assert 'correct-ho...tery' ...") == f"E  assert '{HIDDEN}...tery' ..."
    assert redactor.text(f"FAILED - got {short}...\n....") == f"FAILED - got {HIDDEN}...\n...."


def test_of_two_secrets_one_inside_the_other_nothing_is_left() -> None:
    redactor = Redactor({"A_TOKEN": "12345678", "B_TOKEN": "1234567890"})

    assert redactor.text("1234567890") == HIDDEN


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--token", "x"], ["--token", HIDDEN]),
        (["--api-key=x", "-q"], [f"--api-key={HIDDEN}", "-q"]),
        (["--password", "-q"], ["--password", "-q"]),
        (["--keep", "x"], ["--keep", "x"]),
        (["-k", "test_token and not slow"], ["-k", "test_token and not slow"]),
        (["env", "HF_TOKEN=x", "pytest"], ["env", f"HF_TOKEN={HIDDEN}", "pytest"]),
        (["tests/test_auth.py::test_token"], ["tests/test_auth.py::test_token"]),
        (["HF_TOKEN=x pytest --pass y"], [f"HF_TOKEN={HIDDEN} pytest --pass {HIDDEN}"]),
        (["curl --user a:b https://u:p@h/x"], [f"curl --user a:{HIDDEN} https://h/x"]),
        (["curl", "-u", "me:x1", "h"], ["curl", "-u", f"me:{HIDDEN}", "h"]),
        (["mysql", "-h", "db", "-psecret"], ["mysql", "-h", "db", f"-p{HIDDEN}"]),
        (["pytest", "-p", "no:cacheprovider"], ["pytest", "-p", "no:cacheprovider"]),
        (["MODE=fast pytest; KEY='a b' x"], [f"MODE=fast pytest; KEY={HIDDEN} x"]),
        (["test_token::test_a"], ["test_token::test_a"]),
        (["--junitxml=junit.xml"], ["--junitxml=junit.xml"]),
    ],
)
def test_command_lines_keep_all_but_their_secrets(argv: list[str], expected: list[str]) -> None:
    assert plain.argv(argv) == tuple(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:secret@pypi.example/simple", "https://pypi.example/simple"),
        ("git+ssh://git@github.com/a/b", "git+ssh://github.com/a/b"),
        ("http://tok3n@h:8080/?q=a@b", "http://h:8080/?q=a@b"),
        ("https://mirror.example/simple", "https://mirror.example/simple"),
        ("mail a@b.c", "mail a@b.c"),
    ],
)
def test_urls_lose_their_user(text: str, expected: str) -> None:
    assert plain.text(text) == expected


def test_home_folders_and_host_names_are_hidden_as_whole_words() -> None:
    redactor = Redactor({}, homes=["/home/alice/", "/"], hosts=["gpu-17", "python", "box"])

    assert redactor.text("/home/alice/x /home/alice /home/alicent") == "~/x ~ /home/alicent"
    assert redactor.text("python at gpu-17.lan, not gpu-170 or box") == (
        "python at [host].lan, not gpu-170 or box"
    )


@settings(deadline=None)
@given(st.text(), st.text(min_size=8))
def test_a_known_secret_never_survives(text: str, secret: str) -> None:
    if secret.isspace() or secret in HIDDEN:
        return
    redactor = Redactor({}, masks=[secret])

    assert secret not in redactor.text(f"{text}{secret}{text}")


@settings(deadline=None)
@given(st.text())
def test_redacting_twice_is_redacting_once(text: str) -> None:
    redactor = Redactor({"A_TOKEN": "12345678"}, homes=["/root"], hosts=["gpu-17"])

    assert redactor.text(redactor.text(text)) == redactor.text(text)


# Hostile texts: what is printed may be made to cost time


def bounded(found: object) -> bool:
    """Whether nothing in a parsed pattern repeats without a bound, nor inside another repetition."""

    def repeats(items: object) -> Iterator[tuple[int, object]]:
        for operator, argument in items:  # type: ignore[attr-defined]
            if str(operator) in {"MAX_REPEAT", "MIN_REPEAT"}:
                yield argument[1], argument[2]
                continue
            for part in argument if isinstance(argument, (list, tuple)) else ():
                for inner in part if isinstance(part, list) else [part]:
                    if type(inner).__name__ == "SubPattern":
                        yield from repeats(inner)

    def depth(items: object) -> int:
        """Return the product of nested bounds."""
        return max((int(most) * depth(inner) for most, inner in repeats(items)), default=1)

    return depth(found) <= 20_000


def parsed(found: re.Pattern[bytes]) -> object:
    try:
        from re import _parser as parser  # type: ignore[attr-defined]  # noqa: PLC0415  # 3.11
    except ImportError:
        import sre_parse as parser  # noqa: PLC0415
    return parser.parse(found.pattern, found.flags & ~re.UNICODE)


LATE = type(pattern(b""))
PATTERNS = {
    **{name: value for name, value in vars(tokens).items() if isinstance(value, LATE)},
    **{sign.decode(): shape for sign, shape in tokens._INNER},
}


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_repeats_without_a_bound(name: str) -> None:
    assert bounded(parsed(PATTERNS[name]))


def test_the_measure_itself_knows_the_difference() -> None:
    assert bounded(parsed(re.compile(rb"a{1,4096}b{2}(?:c|[de]{0,9})")))
    assert not bounded(parsed(re.compile(rb"a+")))
    assert not bounded(parsed(re.compile(rb"(?:a{1,400}b){0,400}")))
    assert not bounded(parsed(re.compile(rb"x|(y(?=z*))")))


@pytest.mark.parametrize(
    "unit",
    [
        *("password=", "token==", "key=(", "'", '\\"', "://", "eyJ", "sk-", "SG.", "curl -u "),
        *(
            "-----BEGIN RSA PRIVATE KEY-----\n",
            "Cookie: a=",
            "hunter2...",
            "mysql -",
            "a...",
            "--a-",
        ),
    ],
)
def test_a_hostile_text_comes_to_its_end(unit: str) -> None:
    redactor = Redactor({"A_TOKEN": "hunter2hunter2"}, homes=["/home/a"], hosts=["h-1"])

    assert redactor.text(unit * (200_000 // len(unit)))
