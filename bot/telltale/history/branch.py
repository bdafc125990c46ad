"""
A history in an orphan branch of a git repository.

The user's checkout, index and settings are not touched: the branch is
fetched, shallow and without file contents where the remote can do that, into
a bare repository of our own, which goes when the process ends. A write is a
commit on top of the branch, pushed as a plain fast-forward; when another
writer was faster it is made again on top of theirs.
"""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from telltale.errors import HistoryError, PushRaceError, UsageError
from telltale.history.git import Git, Result, last_words, remote_error
from telltale.history.interface import MAX_FILE_BYTES, FileContent
from telltale.history.remote import Remote

PATIENCE_S = 120.0
"""How long a write is tried again before `PushRaceError`."""

_LONGEST_PAUSE_S = 4.0
_AUTHOR = "telltale <telltale@noreply.invalid>"
_REMOTE = "history"
_TIP = "refs/telltale/tip"
_BLOBS_A_FETCH = 500

_RACE = re.compile(
    r"fetch first|non-fast-forward|stale info|failed to update ref|cannot lock ref|unable to lock"
    r"|but expected|incorrect old value|reference already exists|unable to create .*\.lock",
    re.IGNORECASE,
)

_README = """\
# History of test runs

Telltale keeps this branch. It has no common ancestor with the code and is never merged.

Each file below `records/` is one run of one job: gzip'd JSON, written once and never changed.
`gzip -dc FILE | python3 -m json.tool` shows it. Folders below `scaffolds/` reproduce a failure:
their README says how to run them.

Deleting this branch loses the history and nothing else: the next run begins it anew.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file in the tip's tree."""

    oid: str
    executable: bool


_Commands = Callable[[Mapping[str, _File]], bytes]
"""From what is in the branch to the changes, in the language of git fast-import."""


class BranchStore:
    """
    Files in a branch of a remote.

    Reads see the branch as it was at the first of them, or after the latest
    write of this object.
    """

    def __init__(
        self,
        name: str,
        remote: Remote,
        *,
        environ: Mapping[str, str],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._name = name
        self._ref = f"refs/heads/{name}"
        self._remote = remote
        self._patience_s = patience_s
        self._exists = False
        self._files: dict[str, _File] | None = None
        self._environ = environ
        self._made: Git | None = None

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return f"branch {self._name} of {self._remote.where}"

    def paths(self, folder: str) -> tuple[str, ...]:
        """Return the paths of all files below a folder, sorted."""
        return tuple(sorted(path for path in self._listing() if path.startswith(f"{folder}/")))

    def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Return the bytes of those whose contents are here: of all, when the remote cannot filter."""
        listing = self._listing()
        everything = (
            "cat-file",
            "--batch-all-objects",
            "--batch-check=%(objectname) %(objectsize)",
        )
        lines = (line.split() for line in self._git.out(*everything).decode("ascii").splitlines())
        sizes = {oid: int(size) for oid, size in lines}
        oids = {path: listing[path].oid for path in paths if path in listing}
        return {path: sizes[oid] for path, oid in oids.items() if oid in sizes}

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of files; those missing or too large are left out."""
        listing = self._listing()
        oids = {path: listing[path].oid for path in paths if path in listing}
        self._fetch_blobs(set(oids.values()))
        blobs = self._blobs(set(oids.values()))
        return {path: blobs[oid] for path, oid in oids.items() if oid in blobs}

    def add(self, files: Mapping[str, FileContent], *, why: str) -> tuple[str, ...]:
        """Create the files that are not there, all in one commit; return their paths."""
        written: dict[str, None] = {}

        def commands(listing: Mapping[str, _File]) -> bytes:
            absent = {path: file for path, file in files.items() if path not in listing}
            # Kept over the tries: a push may arrive although its answer is lost.
            written.update(dict.fromkeys(absent))
            return b"".join(_put(path, file) for path, file in absent.items())

        self._write(commands, why)
        return tuple(written)

    def replace(self, folder: str, files: Mapping[str, FileContent], *, why: str) -> str:
        """Make a folder hold exactly these files; return the address of its page."""
        wanted = {f"{folder}/{name}": file for name, file in files.items()}

        def commands(listing: Mapping[str, _File]) -> bytes:
            if self._holds(folder, wanted, listing):
                return b""
            contents = b"".join(_put(path, file) for path, file in wanted.items())
            return b"D " + _quoted(folder) + b"\n" + contents

        self._write(commands, why)
        return self._remote.page(self._name, folder)

    def _write(self, commands: _Commands, why: str) -> None:
        give_up = time.monotonic() + self._patience_s
        tries = 0
        while True:
            started = time.monotonic()
            listing = self._sync()
            changes = commands(listing)
            if not changes:
                return
            lost = self._push(self._commit(changes, why))
            if lost is None:
                self._files = None
                return
            tries += 1
            now = time.monotonic()
            if now > give_up:
                raise PushRaceError(
                    f"{self.where}: other writers were faster {tries} times in a row"
                    f" (git: {lost}). Nothing was written, and adding"
                    " again is safe"
                )
            # As long as a try takes, times the number of writers there seem to
            # be, at random: waiting all the same time would be losing together.
            pause = min((now - started) * 2 ** min(tries, 5), _LONGEST_PAUSE_S)
            time.sleep(random.uniform(0, pause))  # noqa: S311

    def _listing(self) -> Mapping[str, _File]:
        return self._sync() if self._files is None else self._files

    def _sync(self) -> Mapping[str, _File]:
        """Bring the private repository to the remote's tip and return what is in it."""
        fetched = self._fetch_tip()
        if fetched.status != 0 and self._remote_tip() is not None:
            # It is there: perhaps somebody made it a moment ago.
            fetched = self._fetch_tip()
            if fetched.status != 0:
                raise remote_error("fetch", self.where, fetched.errors)
        self._exists = fetched.status == 0
        tree = self._git.out("ls-tree", "-r", "-z", "--full-tree", _TIP) if self._exists else b""
        self._files = _parse_tree(tree)
        return self._files

    def _fetch_tip(self) -> Result:
        arguments = ("--depth=1", "--no-tags", "--filter=blob:none", "--quiet")
        return self._git.run("fetch", *arguments, _REMOTE, f"+{self._ref}:{_TIP}")

    def _remote_tip(self) -> str | None:
        # Asked for by itself, so that "no such branch" is an answer and not
        # one error message among others.
        listed = self._git.run("ls-remote", "--refs", _REMOTE, self._ref)
        if listed.status != 0:
            raise remote_error("read", self.where, listed.errors)
        for line in listed.output.decode(errors="replace").splitlines():
            oid, _, ref = line.partition("\t")
            if ref == self._ref:
                return oid
        return None

    def _known_tip(self) -> str | None:
        if not self._exists:
            return None
        return self._git.out("rev-parse", _TIP).decode("ascii").strip()

    @property
    def _git(self) -> Git:
        """Return git in the private repository, which the first use makes."""
        if self._made is None:
            folder = tempfile.mkdtemp(prefix="telltale-history-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            git = Git(
                environ=self._environ,
                cwd=Path(folder),
                git_dir=Path(folder),
                config=(
                    (f"remote.{_REMOTE}.url", self._remote.url),
                    ("push.gpgSign", "false"),
                    ("push.followTags", "false"),
                    *self._remote.config,
                ),
            )
            git.out("init", "--bare", "--quiet", "--template=")
            self._made = git
        return self._made

    def _commit(self, changes: bytes, why: str) -> str:
        """Make a commit with the changes on top of the tip and return its ref."""
        ref = f"refs/telltale/try-{random.getrandbits(64):016x}"
        message = why.encode()
        parent = f"from {_TIP}^0\n".encode() if self._exists else b""
        readme = b"" if self._exists else _put("README.md", FileContent(data=_README.encode()))
        stream = (
            f"commit {ref}\ncommitter {_AUTHOR} {int(time.time())} +0000\n".encode()
            + b"data %d\n%b\n" % (len(message), message)
            + parent
            + readme
            + changes
            + b"done\n"
        )
        self._git.out("fast-import", "--quiet", "--done", stdin=stream)
        return ref

    def _push(self, ref: str) -> str | None:
        """Return None when the branch is at our commit now, what git said when a race was lost."""
        pushed = self._git.run(
            "push", "--porcelain", "--no-verify", "--quiet", _REMOTE, f"{ref}:{self._ref}"
        )
        if pushed.status == 0:
            return None
        said = pushed.output.decode(errors="replace") + pushed.errors
        if _RACE.search(said):
            return last_words(said)
        # Not a message that we know: what counts is whether the branch moved.
        with contextlib.suppress(HistoryError):
            if self._remote_tip() != self._known_tip():
                return last_words(said)
        raise remote_error("write to", self.where, said)

    def _fetch_blobs(self, oids: set[str]) -> None:
        # One request for all of them: git alone would fetch them one by one.
        check = self._git.out("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
        missing = sorted(oids - set(check.decode("ascii").split()))
        for start in range(0, len(missing), _BLOBS_A_FETCH):
            some = missing[start : start + _BLOBS_A_FETCH]
            # "noop": told that we have the commit, the remote would leave out
            # the contents that belong to it.
            fetched = self._git.run(
                *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--no-tags", "--quiet"),
                *("--filter=blob:none", _REMOTE, *some),
            )
            if fetched.status != 0:
                raise remote_error("fetch", self.where, fetched.errors)

    def _blobs(self, oids: set[str]) -> dict[str, bytes]:
        asked = "".join(f"{oid}\n" for oid in sorted(oids)).encode("ascii")
        sizes = self._git.out("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked)
        lines = (line.split() for line in sizes.decode("ascii").splitlines())
        small = [oid for oid, size in lines if size.isdecimal() and int(size) <= MAX_FILE_BYTES]
        asked = "".join(f"{oid}\n" for oid in small).encode("ascii")
        return _parse_batch(self._git.out("cat-file", "--batch", stdin=asked))

    def _holds(
        self, folder: str, wanted: Mapping[str, FileContent], listing: Mapping[str, _File]
    ) -> bool:
        there = {path for path in listing if path.startswith(f"{folder}/")}
        if there != set(wanted):
            return False
        contents = self.read(sorted(there))
        return all(
            contents.get(path) == file.data and listing[path].executable == file.executable
            for path, file in wanted.items()
        )


def check_name(name: str, git: Git) -> None:
    """Raise `UsageError` unless git takes this for the name of a branch."""
    if name.startswith("-") or git.run("check-ref-format", f"refs/heads/{name}").status != 0:
        raise UsageError(
            f"--history branch:{name}: not the name of a branch, as in branch:telltale-history"
        )


def _put(path: str, file: FileContent) -> bytes:
    mode = b"100755" if file.executable else b"100644"
    return b"M %b inline %b\ndata %d\n%b\n" % (mode, _quoted(path), len(file.data), file.data)


def _quoted(path: str) -> bytes:
    escaped = path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + escaped + b'"'


def _parse_tree(listed: bytes) -> dict[str, _File]:
    found = {}
    for line in listed.split(b"\0"):
        meta, _, path = line.partition(b"\t")
        fields = meta.decode("ascii").split()
        # Links and submodules are nobody's records.
        if len(fields) == 3 and fields[0] in {"100644", "100755"}:
            name = path.decode(errors="surrogateescape")
            found[name] = _File(oid=fields[2], executable=fields[0] == "100755")
    return found


def _parse_batch(output: bytes) -> dict[str, bytes]:
    found = {}
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        oid, _, size = output[at:end].decode("ascii").split()
        found[oid] = output[end + 1 : end + 1 + int(size)]
        at = end + 1 + int(size) + 1
    return found
