"""
Keep secrets and private names out of what a bundle says.

Three nets: values that are known to be secret (variables whose names speak
of one, what the workflow or the command itself asks to mask), texts that
look like well-known tokens (`capture.tokens`), and values that are given
under a name that speaks of a secret. GitHub masks its log, never the files
of an artifact.

Everything works on bytes, so that logs need no decoding; a text is redacted
as its UTF-8. Cost: a few searches for fixed texts decide which of the
patterns have to look at all, and no pattern repeats without a bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from telltale.capture import tokens
from telltale.capture.tokens import HIDDEN
from telltale.capture.values import spellings
from telltale.patterns import pattern

__all__ = ["HIDDEN", "Redactor", "secret_name"]

_SECRET_NAME = pattern(
    # Not the tokens of language models (`--max-tokens`), their tokenizers, or a file's author.
    r"TOKEN(?!S|IZ)|SECRET|PASS(?:WORD|WD|PHRASE|CODE)|(?:^|[_-])PASS(?:$|[_-])|PWD$"
    r"|API_?KEY|ACCESS_?KEY|(?:^|[_-])KEY(?:$|[_-])|CRED|AUTH(?!OR)|COOKIE|SESSION_?ID|DSN$"
    r"|PRIVATE|WEBHOOK|CONNECTION_?STRING|(?:^|_)PAT$",
    re.IGNORECASE,
)
_HARMLESS_NAME = pattern(r"^(PWD|OLDPWD|XDG_SESSION_ID|SSH_AUTH_SOCK|.*_AUTH_SOCK)$")
_ASSIGNED = pattern(
    r"(?P<name>(?:^|(?<=[\s;&|?'\"(]))-{0,2}[A-Za-z_][A-Za-z0-9_-]*)(?P<equals>=|:(?!:)\s?)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s;&|'\")]+)"
)
_FLAG = pattern(r"(?P<flag>(?<!\S)--?[A-Za-z][A-Za-z0-9-]*)(?P<space>[ \t]+)(?P<value>[^\s-]\S*)")
_WHOLE = pattern(r"(--?[A-Za-z][\w.-]*|[A-Za-z_]\w*)=.+", re.DOTALL)
"""A word of which a shell would see the first part alone, where its value has spaces or signs."""
_OPTION = pattern(r"--?[a-z][a-z_-]{0,40}(?:=.*)?|-[A-Za-z]\w{0,5}", re.DOTALL)
"""What follows `--token` and is no secret that begins with `-`."""
_SHELL_TEXT = pattern(r"-[a-z]{0,4}c")
_BARE_TOKEN = pattern(r"\b(token)\s+[A-Za-z0-9._~+/=-]{16,4096}", re.IGNORECASE)

_SHORTEST = 8
"""A shorter secret turns up in innocent words; it is hidden only under its own name."""
_SHORTEST_MASK = 4
"""The same for what somebody asked to mask."""
_MOST_LEARNED = 200
_ORDINARY = pattern(r"[a-z]+|[A-Z]?[a-z]+|/(?:[\w.-]+/)*[\w.-]*(?<![=+])")
"""One word (`postgres`), or a path: hidden under its own name alone, or half of a log would go."""
_LONG_PATH = 200
_BEGINNING = 6
_PARTS = pattern(rb"[=:@/(\[{,]")
_LONGEST_BEGINNING = 120
"""Bytes before the dots of something that was too long for a line."""


def secret_name(name: str) -> bool:
    """Whether a variable or flag of this name probably holds a secret."""
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.match(name)


class Redactor:
    """Redacts texts of one run: it knows the run's secrets, home folders and host names."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        homes: Iterable[str] = (),
        hosts: Iterable[str] = (),
        masks: Iterable[str] = (),
    ) -> None:
        self._secrets: set[str] = set()
        self._learned = 0
        for name, value in environ.items():
            if secret_name(name) and not _ordinary(value):
                self._add(value, _SHORTEST)
        for value in masks:
            self._add(value, _SHORTEST_MASK)
        self._compile()
        self._home_needles = tuple(
            home.rstrip("/").encode("utf-8", "surrogateescape")
            for home in homes
            if len(home.rstrip("/")) > 1
        )
        self._homes = _any_of(self._home_needles, after=rb"(?![\w.-])")
        # A host called `build` or `python` would take ordinary words out of commands.
        self._host_needles = tuple(
            host.encode("utf-8", "surrogateescape")
            for host in hosts
            if re.search(r"[\d.-]", host) and len(host) >= 4
        )
        self._hosts = _any_of(self._host_needles, before=rb"(?<![\w.-])", after=rb"(?![\w-])")

    def learn(self, value: str) -> None:
        """Hide this value from now on; of endlessly many the first two hundred."""
        before = len(self._secrets)
        if self._learned < _MOST_LEARNED and self._add(value, _SHORTEST_MASK):
            self._learned += len(self._secrets) > before
            self._compile()

    def text(self, text: str) -> str:
        """Return the text without secrets, user names in URLs, home folders and host names."""
        return _as_text(self.block(_as_bytes(text)))

    def secrets(self, text: str) -> str:
        """Return a name (a nodeid, a file) without what looks like a secret; the rest must stay."""
        data = _as_bytes(text)
        return _as_text(tokens.hide_tokens(self._hide_known(data)))

    def block(self, data: bytes) -> bytes:
        """Return what `text` returns, of bytes; what is not UTF-8 stays as it is."""
        return self.lines(data, inside_key=False)[0]

    def lines(self, data: bytes, *, inside_key: bool) -> tuple[bytes, bool]:
        """Like `block` for a part of a longer text that ends with a line; a private key may go on."""
        data, inside_key = tokens.hide_keys(data, inside=inside_key)
        data = tokens.hide(self._hide_known(data))
        return self._hide_names(data), inside_key

    def value(self, name: str, value: str) -> str:
        """Return the value of a variable: hidden when its name speaks of a secret."""
        return HIDDEN if value and secret_name(name) else self._strict(value)

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """Return a command line: the word after `--token` is hidden as well as `--token=...`."""
        found: list[str] = []
        before = "-c"  # one word alone is a shell's text
        for word in argv:
            if "=" not in before and before.startswith("-") and secret_name(before):
                found.append(word if _OPTION.fullmatch(word) else HIDDEN)
            elif (word.startswith("-") or not _SHELL_TEXT.fullmatch(before)) and (
                (whole := _WHOLE.fullmatch(word)) and secret_name(whole[1].replace("-", "_"))
            ):
                found.append(f"{whole[1]}={HIDDEN}")
            else:
                found.append(_FLAG.sub(_hide_after_flag, self._strict(word)))
            before = word
        # What only the words together say: `mysql -pSECRET`, `curl --user me:SECRET`.
        return tuple(tokens.hide_arguments(found))

    def _strict(self, text: str) -> str:
        """Return what we chose to keep, every value hidden whose name speaks of a secret."""
        text = _BARE_TOKEN.sub(lambda found: f"{found[1]} {HIDDEN}", self.text(text))
        return _ASSIGNED.sub(_hide_assigned, text)

    def _add(self, value: str, shortest: int) -> bool:
        # As GitHub does it: of a value of several lines each line is one, beside the whole.
        texts = [value, *value.splitlines()]
        fit = [
            text.strip()
            for text in texts
            if len(text) >= shortest
            and text.strip()
            and text.strip() not in HIDDEN
            and not text.startswith("-----")  # around every key, and no secret
        ]
        self._secrets.update(fit)
        return bool(fit)

    def _compile(self) -> None:
        found = {word for value in self._secrets for word in spellings(value)}
        self._needles = tuple(sorted(found, key=len, reverse=True))
        self._known: re.Pattern[bytes] | None = None
        self._beginnings: dict[bytes, list[bytes]] = {}
        for needle in self._needles:
            self._beginnings.setdefault(needle[:_BEGINNING], []).append(needle)

    def _hide_known(self, data: bytes) -> bytes:
        if any(needle in data for needle in self._needles):
            # Compiled here: that takes its time, and most runs never show one.
            self._known = self._known or _any_of(self._needles)
            data = data if self._known is None else self._known.sub(HIDDEN.encode(), data)
        if self._beginnings and b"..." in data:
            data = self._hide_beginnings(data)
        return data

    def _hide_beginnings(self, data: bytes) -> bytes:
        """Hide the beginning of a known secret that pytest shortened to fit into a line."""
        kept: list[bytes] = []
        done = 0
        dots = data.find(b"...")
        while dots >= 0:
            at = self._beginning(data, max(done, dots - _LONGEST_BEGINNING), dots)
            if at >= 0:
                kept += (data[done:at], HIDDEN.encode())
                done = dots
            end = dots + 3
            while data[end : end + 1] == b".":
                end += 1
            dots = data.find(b"...", end)
        kept.append(data[done:])
        return b"".join(kept)

    def _beginning(self, data: bytes, at: int, dots: int) -> int:
        """Return where the beginning of a known secret starts that ends at the dots, or -1."""
        word = max(data.rfind(sign, at, dots) for sign in (b" ", b"\n", b'"', b"'")) + 1
        for start in (
            word or at,
            *(found.end() for found in _PARTS.finditer(data, word or at, dots)),
        ):
            values = self._beginnings.get(data[start : start + _BEGINNING])
            if values and any(value.startswith(data[start:dots]) for value in values):
                return start
        return -1

    def _hide_names(self, data: bytes) -> bytes:
        if self._homes and any(home in data for home in self._home_needles):
            data = self._homes.sub(b"~", data)
        if self._hosts and any(host in data for host in self._host_needles):
            data = self._hosts.sub(b"[host]", data)
        return data


def _ordinary(value: str) -> bool:
    return len(value) <= _LONG_PATH and bool(_ORDINARY.fullmatch(value))


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _as_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _hide_assigned(found: re.Match[str]) -> str:
    if not secret_name(found["name"].lstrip("-").replace("-", "_")):
        return found[0]
    return f"{found['name']}{found['equals']}{HIDDEN}"


def _hide_after_flag(found: re.Match[str]) -> str:
    if not secret_name(found["flag"]):
        return found[0]
    return f"{found['flag']}{found['space']}{HIDDEN}"


def _any_of(
    texts: Iterable[bytes], *, before: bytes = b"", after: bytes = b""
) -> re.Pattern[bytes] | None:
    # The longest first: of two secrets one of which begins with the other, all must go.
    words = sorted({text for text in texts if text}, key=len, reverse=True)
    return (
        re.compile(before + b"(?:" + b"|".join(map(re.escape, words)) + b")" + after)
        if words
        else None
    )
