"""
The process tree below this process, as /proc tells it.

Source: proc_pid_stat(5). On systems without /proc every answer is empty.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from telltale.values import dataclass

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process at one moment."""

    pid: int
    ppid: int
    group: int
    """Process group, by the pid of its leader."""
    session: int
    name: str
    """The kernel's 15 characters of it."""
    state: str
    """`R`, `S`, `D`, `T`, `Z`, ... as in ps(1)."""
    cpu_s: float
    """User and system time of it and of the children it has waited for."""
    rss_bytes: int

    @property
    def dead(self) -> bool:
        """Whether it has ended and only waits for its parent to notice."""
        return self.state in {"Z", "X"}


class Tree:
    """
    The processes below one, for whoever looks again and again.

    Who is not below it will never be, so all others on the machine are read
    once. They are known by the inode of their folder in /proc, which is made
    for each process anew: a number that comes again is another process.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._others: dict[int, int] = {}
        """Inodes by process id."""

    def leave_out(self) -> None:
        """Take all that run now for others, without reading any: for before the first one is started."""
        self._others = _listed()

    def look(self, *, without: Collection[int] = ()) -> list[Process]:
        """Return what `below` returns; who was left out once stays so."""
        listed = _listed()
        others = {pid: inode for pid, inode in listed.items() if self._others.get(pid) == inode}
        offspring = _by_parent(pid for pid in listed if pid not in others)
        children = offspring.pop(self._root, [])
        # Whose parent ended meanwhile is neither: it may have been handed over to us.
        strangers = [each for each in children if each.pid in without]
        for parent, processes in offspring.items():
            if parent == 0 or parent in others:
                strangers += processes
        _add_offspring(strangers, offspring)
        self._others = others | {each.pid: listed[each.pid] for each in strangers}
        found = [each for each in children if each.pid not in without]
        return _add_offspring(found, offspring)


def below(root: int, *, without: Collection[int] = ()) -> list[Process]:
    """Return the living and dead descendants of `root`, parents first, without some children's trees."""
    offspring = _by_parent(_listed())
    found = [each for each in offspring.get(root, ()) if each.pid not in without]
    return _add_offspring(found, offspring)


def children(pid: int) -> list[int]:
    """Return the process ids of the children of `pid`, dead ones included."""
    try:
        text = _read(f"/proc/{pid}/task/{pid}/children")
    except OSError:
        # The kernel was built without CONFIG_PROC_CHILDREN.
        return [process.pid for process in _by_parent(_listed()).get(pid, ())]
    return [int(word) for word in text.split()]


def is_dead(pid: int) -> bool:
    """Whether the process has ended, waited for or not."""
    try:
        return _parse(_read(f"/proc/{pid}/stat")).dead
    except (OSError, ValueError, IndexError):
        return True


def command_line(pid: int) -> str:
    """Return the process's arguments as one line, empty when it has none or is gone."""
    try:
        return _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return ""


def detail(pid: int, name: str) -> str:
    """Return a file of `/proc/PID`, empty when it cannot be read; `name` may lie below it."""
    try:
        return _read(f"/proc/{pid}/{name}").decode("utf-8", "replace").strip("\0\n")
    except OSError:
        return ""


def threads(pid: int) -> list[int]:
    """Return the ids of the process's threads, the first one first."""
    try:
        return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    except OSError:
        return []


def open_files(pid: int) -> int | str:
    """Return how many file descriptors the process has open, `?` when that may not be seen."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
    except OSError:
        return "?"


def is_python(pid: int) -> bool:
    """Whether the process has a Python in it: an interpreter, or a program that embeds one."""
    return "python" in detail(pid, "maps").lower()


def _listed() -> dict[int, int]:
    """Return the inode of each process's folder by its process id."""
    try:
        with os.scandir("/proc") as entries:
            return {int(each.name): each.inode() for each in entries if each.name.isdecimal()}
    except OSError:
        return {}


def _by_parent(pids: Iterable[int]) -> dict[int, list[Process]]:
    found: dict[int, list[Process]] = {}
    for pid in pids:
        try:
            process = _parse(_read(f"/proc/{pid}/stat"))
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
        found.setdefault(process.ppid, []).append(process)
    return found


def _add_offspring(
    found: list[Process], offspring: Mapping[int, Sequence[Process]]
) -> list[Process]:
    # The list grows while it is walked: that is what makes it breadth first.
    for process in found:
        found.extend(offspring.get(process.pid, ()))
    return found


def _parse(stat: bytes) -> Process:
    # The name is in parentheses and may itself hold spaces and parentheses.
    head, _, rest = stat.rpartition(b")")
    pid, _, name = head.partition(b" (")
    fields = rest.split()
    return Process(
        pid=int(pid),
        ppid=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        name=name.decode("utf-8", "replace"),
        state=fields[0].decode("ascii"),
        cpu_s=sum(map(int, fields[11:15])) * _TICK_S,
        rss_bytes=int(fields[21]) * _PAGE,
    )


def _read(path: str) -> bytes:
    # Not pathlib: this runs for every process, every second, beside the tests.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
