"""
The git program, run so that nothing of the surroundings leaks in or out.

A surrounding hook, alias or `git -c` may have set GIT_DIR and its like for
another repository: those variables are removed. Secrets travel in GIT_CONFIG_*
variables of the child: never in its arguments, never on the disk, never in a
message. Messages are asked for in English, because they are read.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telltale.errors import HistoryError, SetupError

TIMEOUT_S = 300.0
"""For one call of git: a large first fetch over a slow line, not a hang."""

_KEPT = frozenset(
    {
        "GIT_ASKPASS",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_EXEC_PATH",
        "GIT_PROXY_COMMAND",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_CERT",
        "GIT_SSL_KEY",
        "GIT_SSL_NO_VERIFY",
    }
)
"""How to reach and whom to trust; every other GIT_* is about some other repository."""

_CONFIG = re.compile(r"GIT_CONFIG_(COUNT|KEY_\d+|VALUE_\d+)")
_USERINFO = re.compile(r"(://)[^/@\s]+@")

_DENIED = re.compile(
    r"authentication failed|could not read (username|password)|permission.{0,40}denied|access denied"
    r"|returned error: 40[13]|http basic: access denied|terminal prompts disabled|not authorized"
    r"|protected branch|hook declined|GH006|GH013|host key verification failed",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"could not resolve|connection (refused|timed out|reset)|couldn't connect|failed to connect"
    r"|network is unreachable|no route to host|operation timed out|ssl|certificate|returned error: 5"
    r"|remote end hung up|early eof",
    re.IGNORECASE,
)
_NO_REPOSITORY = re.compile(
    r"does not appear to be a git repository|repository .{0,300}not found|not a git repository"
    r"|returned error: 404|does not exist|no such file",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one call of git ended."""

    status: int
    output: bytes
    errors: str
    """What it said on stderr, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """How to run git: from where, in which repository, with which variables."""

    environ: Mapping[str, str] = field(repr=False)
    """The surrounding environment, as the verb received it."""
    cwd: Path
    git_dir: Path | None = None
    """A repository of our own, or None for the one that `cwd` is in."""
    config: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Settings for these calls; they may hold secrets."""
    timeout_s: float = TIMEOUT_S

    def run(self, *arguments: str, stdin: bytes = b"") -> Result:
        """Run git; raise only when it cannot be started or does not end."""
        where = ["-C", str(self.cwd)]
        if self.git_dir is not None:
            where = [f"--git-dir={self.git_dir}"]
        try:
            process = subprocess.Popen(
                ["git", *where, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.cwd,
                env=self._environment(),
                # Without a terminal nobody can be asked for a password.
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise self._not_started() from error
        with process:
            try:
                output, errors = process.communicate(stdin, timeout=self.timeout_s)
            except BaseException as error:
                # git's helpers (ssh, https) are in its session, and would go on without it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise HistoryError(
                        f"git {_subcommand(arguments)} did not end within {self.timeout_s:g} s:"
                        " the remote does not answer; try again later"
                    ) from error
                raise
        return Result(
            status=process.returncode,
            output=output,
            errors=self._without_secrets(errors.decode(errors="replace")),
        )

    def _not_started(self) -> HistoryError | SetupError:
        if not self.cwd.is_dir():
            return HistoryError(f"{self.cwd}: no such folder")
        return SetupError(
            "git was not found: install it, or keep the history in a folder (--history some/folder)"
        )

    def out(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run git and return its output; `HistoryError` with its own words when it fails."""
        result = self.run(*arguments, stdin=stdin)
        if result.status != 0:
            words = last_words(result.errors)
            raise HistoryError(f"git {_subcommand(arguments)} failed: {words}")
        return result.output

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in self.environ.items()
            if not name.startswith("GIT_") or name in _KEPT or _CONFIG.fullmatch(name)
        }
        quiet = (
            ("core.hooksPath", "/dev/null"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("protocol.version", "2"),
        )
        given = kept.get("GIT_CONFIG_COUNT", "0")
        count = int(given) if given.isdecimal() else 0
        for index, (key, value) in enumerate((*quiet, *self.config), start=count):
            kept[f"GIT_CONFIG_KEY_{index}"] = key
            kept[f"GIT_CONFIG_VALUE_{index}"] = value
        return {
            **kept,
            "GIT_CONFIG_COUNT": str(count + len(quiet) + len(self.config)),
            "GIT_TERMINAL_PROMPT": "0",
            "SSH_ASKPASS_REQUIRE": "never",
            "LC_ALL": "C",
            "LANGUAGE": "",
        }

    def _without_secrets(self, text: str) -> str:
        for key, value in self.config:
            if key.endswith("extraheader") and value:
                text = text.replace(value, "***").replace(value.rpartition(" ")[2], "***")
        return without_userinfo(text)


def token_config(url: str, token: str) -> tuple[tuple[str, str], ...]:
    """Return the settings that send a token to an http(s) remote, in place of any other header."""
    if not token or not url.lower().startswith(("http://", "https://")):
        return ()
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
    key = f"http.{without_userinfo(url)}.extraheader"
    # The empty value clears what a checkout or a global setting would send
    # as well: GitHub refuses a request with two Authorization headers.
    return ((key, ""), (key, f"AUTHORIZATION: basic {basic}"))


def _subcommand(arguments: Sequence[str]) -> str:
    return arguments[2] if arguments[0] == "-c" else arguments[0]


def without_userinfo(text: str) -> str:
    """Return the text with `user:password@` cut out of every URL in it."""
    return _USERINFO.sub(r"\1", text)


def last_words(errors: str) -> str:
    """Return what git said, as one line of bounded length."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "!"))]
    return " / ".join(telling or lines[-1:])[:500] or "it said nothing"


def remote_error(doing: str, where: str, errors: str) -> HistoryError:
    """Return the error for a remote that failed: which sort it is, and what to type next."""
    said = last_words(errors)
    if "dubious ownership" in errors:
        advice = "another user owns that repository: type the `git config` line that git names"
    elif _DENIED.search(errors):
        advice = (
            "access is denied: in a job give `permissions: contents: write` and pass the token;"
            " at a terminal try `git ls-remote` with the same address"
        )
    elif _UNREACHABLE.search(errors):
        advice = "it cannot be reached: check the address and the network, then try again"
    elif _NO_REPOSITORY.search(errors):
        advice = (
            "there is no such repository, or these credentials may not see it:"
            " give another one as --history branch:NAME@REMOTE"
        )
    else:
        advice = "try `git ls-remote` with the same address"
    return HistoryError(f"cannot {doing} {where}: {advice} (git: {said})")
