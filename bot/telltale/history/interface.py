"""
What a history can do, wherever it is kept.

A `Store` moves bytes: a folder, a git branch, an object store. The
`History` that the verbs see is made of any of them by `archive.Archive`, so
that layout, codec and idempotence are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from telltale.records import Record, Series

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Larger files in a history are not ours: they are reported and never read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """One file to store beside the records, as in a scaffold."""

    data: bytes
    executable: bool = False


class History(Protocol):
    """Earlier runs, by series; every method raises `HistoryError` when it cannot be reached."""

    @property
    def where(self) -> str:
        """Where it is, for people."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Files that were skipped so far because they cannot be read: one sentence each."""

    def add(self, records: Sequence[Record]) -> tuple[str, ...]:
        """
        Keep records and return the paths that were written, relative to the history.

        A record whose id is there already is left alone and not returned.
        After an error it is safe to add them again: `PushRaceError` when other
        writers kept winning, in which case nothing was written.
        """

    def series(self) -> tuple[Series, ...]:
        """Return every series of which there are records, sorted."""

    def load(self, series: Series, *, limit: int = 200) -> tuple[Record, ...]:
        """
        Return at most `limit` records of a series, newest first.

        Half of the places are kept for runs that a baseline may rest on, half
        for the others, as far as there are any: a flood of pull requests
        cannot push the default branch out of sight, nor the reverse.
        """

    def put_folder(self, path: str, files: Mapping[str, FileContent]) -> str:
        """
        Make the folder `path` hold exactly `files` and return where people find it.

        `path` is relative to the history, as in `scaffolds/<name>`; the names
        of the files are relative to the folder and may have folders in them.
        """


class Store(Protocol):
    """Bytes by path; paths are relative and have forward slashes."""

    @property
    def where(self) -> str:
        """Where it is, for people."""

    def paths(self, folder: str) -> tuple[str, ...]:
        """Return the paths of all files below a folder, sorted; none when there is no such folder."""

    def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Return the bytes that files take, of those of which the store knows it without reading."""

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of files; those that are missing or above `MAX_FILE_BYTES` are left out."""

    def add(self, files: Mapping[str, FileContent], *, why: str) -> tuple[str, ...]:
        """
        Create the files that are not there, in their order; return their paths. Never overwrite.

        A branch writes all or none. A folder and an object store may be left
        with the first of them: each is whole, and adding again adds the rest.
        """

    def replace(self, folder: str, files: Mapping[str, FileContent], *, why: str) -> str:
        """Make a folder hold exactly these files; return where people find it."""
