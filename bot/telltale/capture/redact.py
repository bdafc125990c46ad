"""
Keep secrets and private names out of what a bundle says.

Two nets: values of variables whose names speak of secrets, wherever they
turn up, and texts that look like well-known tokens. GitHub masks its log,
never the files of an artifact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

HIDDEN = "[redacted]"

_SECRET_NAME = re.compile(
    # Not the tokens of language models (`--max-tokens`), their tokenizers, or a file's author.
    r"TOKEN(?!S|IZ)|SECRET|PASS(?:WORD|WD|PHRASE|CODE)|(?:^|[_-])PASS(?:$|[_-])|PWD$"
    r"|API_?KEY|ACCESS_?KEY|(?:^|[_-])KEY(?:$|[_-])|CRED|AUTH(?!OR)|COOKIE|SESSION_?ID|DSN$"
    r"|PRIVATE|WEBHOOK|CONNECTION_?STRING|(?:^|_)PAT$",
    re.IGNORECASE,
)
_HARMLESS_NAME = re.compile(r"^(PWD|OLDPWD|XDG_SESSION_ID)$")
_SECRET_VALUE = re.compile(
    r"""
      \bgh[pousr]_[A-Za-z0-9]{20,}            # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bghs_[A-Za-z0-9._-]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}              # GitLab
    | \b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b # AWS
    | \bAIza[A-Za-z0-9_-]{30,}                # Google
    | \bya29\.[A-Za-z0-9_-]{20,}
    | \bhf_[A-Za-z0-9]{20,}                   # Hugging Face
    | \bsk-[A-Za-z0-9_-]{20,}                 # OpenAI, Anthropic
    | \b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}  # Stripe
    | \bwandb_v1_[A-Za-z0-9_]{20,}
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}        # Slack
    | https://hooks\.slack\.com/\S+
    | https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\S+
    | \bnpm_[A-Za-z0-9]{30,}
    | \bpypi-[A-Za-z0-9_-]{30,}
    | \bdckr_pat_[A-Za-z0-9_-]{20,}
    | \bdop_v1_[a-f0-9]{40,}
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}
    | \bAccountKey=[A-Za-z0-9+/=]{20,}
    | \beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | -----BEGIN[ A-Z]*PRIVATE\ KEY-----(?:.|\n)*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE,
)
_BEARER = re.compile(r"\b(Bearer|Basic|token)\s+[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@?#]+@", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"(?P<name>(?:^|(?<=[\s;&|?'\"(]))-{0,2}[A-Za-z_][A-Za-z0-9_-]*)(?P<equals>=|:(?!:)\s?)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s;&|'\")]+)"
)
_FLAG = re.compile(
    r"(?P<flag>(?<!\S)--?[A-Za-z][A-Za-z0-9-]*)(?P<space>[ \t]+)(?P<value>[^\s-]\S*)"
)

_SHORTEST = 8
"""A shorter secret turns up in innocent words; it is hidden only under its own name."""


def secret_name(name: str) -> bool:
    """Whether a variable or flag of this name probably holds a secret."""
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.match(name)


class Redactor:
    """Redacts texts of one run: it knows the run's secrets, home folders and host names."""

    def __init__(
        self, environ: Mapping[str, str], *, homes: Iterable[str] = (), hosts: Iterable[str] = ()
    ) -> None:
        secrets = {
            value
            for name, value in environ.items()
            if secret_name(name) and len(value) >= _SHORTEST and not value.isspace()
        }
        self._known = _any_of(secrets)
        self._homes = _any_of(
            (home.rstrip("/") for home in homes if len(home.rstrip("/")) > 1),
            after=r"(?![\w.-])",
        )
        # A host called `build` or `python` would take ordinary words out of commands.
        self._hosts = _any_of(
            (host for host in hosts if re.search(r"[\d.-]", host) and len(host) >= 4),
            before=r"(?<![\w.-])",
            after=r"(?![\w-])",
        )

    def text(self, text: str) -> str:
        """Return the text without secrets, user names in URLs, home folders and host names."""
        if self._known:
            text = self._known.sub(HIDDEN, text)
        text = _SECRET_VALUE.sub(HIDDEN, text)
        text = _BEARER.sub(lambda found: f"{found[1]} {HIDDEN}", text)
        text = _USERINFO.sub(r"\1", text)
        text = _ASSIGNED.sub(_hide_assigned, text)
        if self._homes:
            text = self._homes.sub("~", text)
        if self._hosts:
            text = self._hosts.sub("[host]", text)
        return text

    def value(self, name: str, value: str) -> str:
        """Return the value of a variable: hidden when its name speaks of a secret."""
        return HIDDEN if value and secret_name(name) else self.text(value)

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Return a command line: the word after `--token` is hidden as well as `--token=...`."""
        found: list[str] = []
        hide = False
        for word in argv:
            if hide and not word.startswith("-"):
                found.append(HIDDEN)
            else:
                found.append(_FLAG.sub(_hide_after_flag, self.text(word)))
            hide = word.startswith("-") and "=" not in word and secret_name(word)
        return tuple(found)


def _hide_assigned(found: re.Match[str]) -> str:
    if not secret_name(found["name"].lstrip("-").replace("-", "_")):
        return found[0]
    return f"{found['name']}{found['equals']}{HIDDEN}"


def _hide_after_flag(found: re.Match[str]) -> str:
    if not secret_name(found["flag"]):
        return found[0]
    return f"{found['flag']}{found['space']}{HIDDEN}"


def _any_of(texts: Iterable[str], *, before: str = "", after: str = "") -> re.Pattern[str] | None:
    # The longest first: of two secrets one of which begins with the other, all must go.
    words = sorted({text for text in texts if text}, key=len, reverse=True)
    return re.compile(f"{before}(?:{'|'.join(map(re.escape, words))}){after}") if words else None
