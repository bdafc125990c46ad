"""
Name a failure, so that the same cause gets the same name next time.

This file needs nothing but the standard library and imports nothing of
Telltale: a scaffold carries it verbatim and uses it where Telltale is not
installed. `signature.py` is what the rest of Telltale calls.

The name rests on what stays when a failure comes again: the type of the
exception at the root of the chain, its message with the volatile values
renamed, and the innermost frame inside the user's repository, by the text of
its source line. Line numbers, paths, addresses and parameters are not in it.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

VERSION = "v1"
"""Signatures of different versions are never equal."""

MAX_TEXT = 200_000
"""Characters of a failure's text that are looked at; of a longer one, both ends."""


MAX_MESSAGE = 2_000
"""Characters of a message that are looked at; patterns are tried at each of them."""


class Name(NamedTuple):
    """What a failure is called."""

    signature: str
    """`v1:` and 16 hex digits."""
    kind: str
    """One of the kinds of `FailureKind`."""
    template: str
    """The same for people: what happened, and where."""


class Frame(NamedTuple):
    """One entry of a traceback or a stack dump."""

    path: str
    function: str
    source: str
    """The text of the line that was executing, empty when the dump does not show it."""


class Thrown(NamedTuple):
    """An exception with the frames that led to it, outermost first."""

    type: str
    message: str
    frames: list[Frame]


def name(*, test: str, text: str) -> Name:
    """Name the failure of `test` (a nodeid, may be empty) whose text is `text`."""
    lines = _lines(text)
    kind, what, message, frame = _diagnose(test, lines)
    where = _where(frame)
    if not where and (kind in _MUTE or (kind != "oom" and not _says_something(message))):
        # Nothing else tells two of them apart; parameters are variants of one test.
        where = "in " + re.split(r"::|/", test.split("[", 1)[0])[-1] if test else ""
    template = " ".join(filter(None, (f"{what}:" if what and message else what, message, where)))
    digest = hashlib.sha256(template.encode("utf-8", "replace")).hexdigest()[:16]
    return Name(f"{VERSION}:{digest}", kind, template)


_MUTE = {"crash_signal", "test_timeout"}
"""Kinds whose message says nothing beyond the kind."""


def _says_something(message: str) -> bool:
    words = re.findall(r"[A-Za-z]{2,}", re.sub(r"<\w+>|^assert\b", " ", message))
    return len(words) >= 2 or bool(re.search(r"'[^'<]{2,}'", message))


# --- the text, freed of what the log added -----------------------------------------------------

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_TIME = r"(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]? ?)?"
_PREFIX = re.compile(
    rf"^{_TIME}(?:\[rank ?\d+\]: ?|\[\d+,\d+\]<std(?:err|out)>: ?)?{_TIME}(?:##\[error\])?"
)
_GROUP = re.compile(r"^\s*(?:\|\s|\+-|\+\s)")


def _lines(text: str) -> list[str]:
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT // 2] + "\n" + text[-MAX_TEXT // 2 :]
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    lines = [
        # Most lines have no prefix, and a look at the first character tells.
        _PREFIX.sub("", line, count=1) if line[:1] in "[#" or line[:1].isdecimal() else line
        for line in map(str.rstrip, text.splitlines())
    ]
    if "Exception Group Traceback" in text:
        lines = [_ungroup(line) for line in lines]
    return lines


def _ungroup(line: str) -> str:
    # Exception groups draw a tree with `|` and `+` in front of ordinary tracebacks.
    for _ in range(20):  # groups within groups
        if not _GROUP.match(line):
            break
        line = re.sub(r"^\s*[|+](?:-\+)?-* ?", "", line, count=1)
    return line


# --- what happened -----------------------------------------------------------------------------

_FATAL = re.compile(r"^Fatal Python error: (?P<what>.+)$")
_TIMEOUT = re.compile(r"^\++ Timeout \++$|^Timeout \(\d+:\d\d:\d\d(?:\.\d+)?\)!$")
_EXIT = re.compile(
    r"(?:exit(?:ed with)?(?: code| status)?|returned non-zero exit status|rc[= ])[ :=]*(-?\d+)\b",
    re.IGNORECASE,
)
_SIGNAL = re.compile(
    r"(?<![A-Za-z])SIG(?P<name>SEGV|ABRT|BUS|FPE|ILL|KILL|TERM|SYS|TRAP|XCPU|XFSZ|PIPE|QUIT)\b"
    r"|\bsignal:? (?P<number>\d+)\b"
)
_CRASH_WORDS = {
    "segmentation fault": "SIGSEGV",
    "bus error": "SIGBUS",
    "floating point exception": "SIGFPE",
    "illegal instruction": "SIGILL",
    "aborted": "SIGABRT",
}
_SIGNALS = {
    3: "SIGQUIT",
    4: "SIGILL",
    5: "SIGTRAP",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
    24: "SIGXCPU",
    25: "SIGXFSZ",
    31: "SIGSYS",
}
"""By number, as Linux numbers them."""
_CRASHED = re.compile(
    r"worker '\w+' crashed while running|core dumped|terminate called after throwing"
    r"|(?:Address|Thread|Memory|UndefinedBehavior)Sanitizer",
)


def _diagnose(test: str, lines: list[str]) -> tuple[str, str, str, Frame | None]:
    """Return kind, what, message template and the frame to blame."""
    dumped = _dumped(lines)
    if dumped:
        return (*dumped, "", _stuck(lines))
    thrown = _root(lines)
    if thrown is None:
        return _without_exception(test, lines)
    frame = _blame(thrown.frames)
    stopped = _stopped(thrown)
    if stopped:
        return (*stopped, "", frame)
    if _collecting(test, lines):
        # The statement that imports is not the cause; several modules may share one.
        at = _blame(thrown.frames) if not thrown.message else None
        return "collection_error", thrown.type, rename(thrown.message), at
    message = _values(thrown) if thrown.type == "AssertionError" and frame else thrown.message
    kind = _kind(thrown.type, thrown.message)
    if kind == "oom":
        # The sizes' wording and even the type changed from release to release.
        device = re.search(r"\b(CUDA|HIP|XPU|MPS)\b", thrown.message)
        return kind, "out of memory", device[1] if device else "", frame
    return kind, thrown.type, rename(message), frame


def _dumped(lines: list[str]) -> tuple[str, str] | None:
    """Return kind and what, when the stacks were dumped because the process crashed or hung."""
    whole = "\n".join(lines)
    for line in lines if "Fatal Python error" in whole else ():
        fatal = _FATAL.match(line)
        if fatal:
            what = fatal["what"].strip()
            signal = _CRASH_WORDS.get(what.lower().replace("-", " "))
            return "crash_signal", signal or rename(what)
    if "Timeout" in whole and any(_TIMEOUT.match(line) for line in lines):
        return "test_timeout", "Timeout"
    if lines[:1] == [AT_ITS_LIMIT] and any(_THREAD.match(line) for line in lines):
        return "hang_or_device_timeout", "interrupted"
    return None


def _stopped(thrown: Thrown) -> tuple[str, str] | None:
    """Return kind and what, when the exception only says that something took too long."""
    if thrown.type == "Failed" and re.match(r"Timeout \(?>?\d", thrown.message):
        return "test_timeout", "Timeout"
    if thrown.type == "KeyboardInterrupt":
        # Nobody sits at a runner's keyboard: this is how a limit ends a command.
        return "hang_or_device_timeout", "interrupted"
    return None


def _collecting(test: str, lines: list[str]) -> bool:
    if test.endswith(".py"):
        return True
    return _any_in(("ERROR collecting", "ImportError while"), "\n".join(lines)) and any(
        "ERROR collecting " in line
        or line.startswith(("ImportError while importing test", "ImportError while loading conf"))
        for line in lines
    )


def _without_exception(test: str, lines: list[str]) -> tuple[str, str, str, Frame | None]:
    said = [line.strip() for line in lines if line.strip()]
    for line in said:
        if _CRASHED.search(line):
            return "crash_signal", _signal(said) or "crash", "", None
    signal = _signal(said)
    if signal:
        return "crash_signal", signal, "", None
    if said[:1] == [AT_ITS_LIMIT]:
        return "hang_or_device_timeout", "interrupted", "", None
    line = _loudest(said)
    kind = _kind("", line)
    if kind == "exception":
        kind = "collection_error" if _collecting(test, lines) else "unknown"
    if kind == "unknown" and re.search(
        r"\b(?:expected|assert\w*|check failed)\b", line, re.IGNORECASE
    ):
        kind = "assertion"
    return kind, "", rename(line), None


def _signal(lines: list[str]) -> str:
    for line in lines:
        found = _SIGNAL.search(line)
        if found:
            number = found["number"]
            return f"SIG{found['name']}" if found["name"] else _SIGNALS.get(int(number), "")
        words = re.sub(r" ?\(core dumped\)", "", line.lower()).replace("-", " ").rstrip(". ")
        if words in _CRASH_WORDS:
            return _CRASH_WORDS[words]
    for line in lines:
        code = _EXIT.search(line)
        if code:
            number = int(code[1])
            signal = _SIGNALS.get(-number if number < 0 else number - 128, "")
            if signal:
                return signal
    return ""


_LOUD = re.compile(r"\b(?:ERROR|FATAL|CRITICAL|[Ee]rror|[Ff]ail(?:ed|ure)|panic|abort)\b")
_LEVEL = re.compile(
    # Up to the level, with the logger's or the file's name on either side of it.
    r"^[^'\"]{0,60}?\b(?:ERROR|FATAL|CRITICAL)\b[\])]?[\s:|-]*(?:[\w./]+:(?:\d+\b:?)? ?)?"
)


AT_ITS_LIMIT = "the command was killed at its time limit"
_OURS = re.compile(r"^the command (?:exited with -?\d+ and named no failed test|was \w+ )")
"""What Telltale says of a command as a whole; what the command said itself says more."""


def _loudest(said: list[str]) -> str:
    # A place alone (`file.cpp:12: Failure`) says nothing without what follows it.
    for at, line in enumerate(said):
        if re.match(r"\S+\.\w+:\d+(?::\d+)?:?(?: Failure| error)?$", line) and said[at + 1 :]:
            return " ".join(said[at + 1 : at + 4])
    theirs = [line for line in said if not _OURS.match(line)] or said
    loud = next((line for line in theirs if _LOUD.search(line)), theirs[-1] if theirs else "")
    return _LEVEL.sub("", loud, count=1)


# --- the exception at the root of the chain ----------------------------------------------------

_CHAIN = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_TYPE = re.compile(r"^(?P<type>(?:[A-Za-z_]\w*\.)*[A-Z]\w*)(?:: ?(?P<message>.*)|)$")
_TYPE_WORDS = ("Error", "Exception", "Warning", "Exit", "Interrupt", "Failed", "Failure", "Group")
_NATIVE = re.compile(r'^\s*File "(?P<path>[^"]+)", line \d+(?:,? in (?P<function>.+))?$')
_PLACE = re.compile(
    r"^(?P<path>(?:[A-Za-z]:)?[^\s:][^:]*):\d+: (?:in (?P<function>.+)|(?P<type>[A-Za-z_][\w.]*))?$"
)
_PLACE_ONLY = re.compile(r"^(?P<path>(?:[A-Za-z]:)?[^\s:][^:]*\.\w+):\d+: ?$")
_LINE_STYLE = re.compile(r"^(?P<path>\S+\.py):\d+: (?P<rest>[A-Za-z_][\w.]*(?:: .*)?)$")


def _root(lines: list[str]) -> Thrown | None:
    section: list[str] = []
    found: Thrown | None = None
    if not _any_in(_CHAIN, "\n".join(lines)):
        return _thrown(lines)
    for line in [*lines, _CHAIN[0]]:
        if line.strip() not in _CHAIN:
            section.append(line)
            continue
        found = _thrown(section)
        if found is not None:
            return found
        section = []
    return found


def _thrown(lines: list[str]) -> Thrown | None:
    if any(line.startswith("E  ") for line in lines):
        return _pytest_thrown(lines)
    return _native_thrown(lines)


def _pytest_thrown(lines: list[str]) -> Thrown | None:
    """`--tb=long`, `auto` and `short`: the message on lines that begin with E."""
    frames: list[Frame] = []
    said: list[str] = []
    function = source = kind = ""
    for at, line in enumerate(lines):
        if line.startswith("E  "):
            said.append(line[1:].strip())
            continue
        if line.startswith(">"):
            source = line[1:].strip()
            # A function of one line shows its name nowhere else.
            function = function or _defined(source)
            continue
        if not function and line.startswith(" ") and _defined(line):
            function = _defined(line)
            continue
        native = _NATIVE.match(line)
        place = _PLACE.match(line) or _PLACE_ONLY.match(line)
        if native:
            frames.append(Frame(native["path"], native["function"] or "", _next(lines, at)))
        elif place:
            groups = place.groupdict()
            if groups.get("function"):
                frames.append(Frame(place["path"], groups["function"], _next(lines, at)))
            else:
                frames.append(Frame(place["path"], function, source))
                kind = groups.get("type") or kind
            function = source = ""
            if said:
                break
    return _said(said, kind, frames) if said else None


def _defined(line: str) -> str:
    match = re.match(r"\s*(?:async )?def (\w+)", line)
    return match[1] if match else ""


def _next(lines: list[str], at: int) -> str:
    following = lines[at + 1] if at + 1 < len(lines) else ""
    if not following.startswith("  ") or following.lstrip().startswith('File "'):
        return ""
    return following.strip()


def _said(said: list[str], kind: str, frames: list[Frame]) -> Thrown:
    first = said[0][:MAX_MESSAGE]
    if first.startswith(("File ", "Traceback")):
        # A SyntaxError shows its place first, and another process's traceback all of it.
        last = [line for line in said if _exception(line)]
        first = last[-1] if last else first
    match = _exception(first)
    if match:
        at = said.index(first) if first in said else 0
        return Thrown(_short(match["type"]), _enough(match, said[at + 1 :]), frames)
    if first.startswith("assert "):
        return Thrown("AssertionError", first, frames)
    return Thrown(_short(kind), first, frames)


def _exception(line: str) -> re.Match[str] | None:
    match = _TYPE.match(line)
    if match is None:
        return None
    known = match["type"].endswith(_TYPE_WORDS) or "." in match["type"] or ":" in line
    return match if known else None


def _short(kind: str) -> str:
    # `torch.OutOfMemoryError` was `torch.cuda.OutOfMemoryError` one release before.
    return kind.rpartition(".")[2]


def _enough(exception: re.Match[str], following: list[str]) -> str:
    """Return the first line of a message, or as many as it takes to say something."""
    text = (exception["message"] or "").strip()[:MAX_MESSAGE]
    # What follows an assertion explains its values, in as many lines as there are.
    if text and exception["type"].endswith("AssertionError"):
        return text
    for line in following[:6]:
        words = re.findall(r"[A-Za-z]{3,}", re.sub(r"\S*[/\\@:]\S*", " ", text))
        if len(words) >= 2 and not text.endswith(":"):
            break
        if not line or re.match(r"(?:assert |\+ |- |\? )", line):
            break
        text = f"{text} {line}".strip()[:MAX_MESSAGE]
    return text


def _native_thrown(lines: list[str]) -> Thrown | None:
    """Tracebacks as the interpreter prints them, `--tb=native`, `--tb=line`, bare log lines."""
    frames: list[Frame] = []
    inside = False
    bare: Thrown | None = None
    for at, line in enumerate(lines):
        native = _NATIVE.match(line)
        if native:
            frames.append(Frame(native["path"], native["function"] or "", _next(lines, at)))
            inside = True
            continue
        if line.startswith("Traceback (most recent call last)"):
            frames, inside = [], True
            continue
        styled = _LINE_STYLE.match(line)
        match = _exception(styled["rest"] if styled else line.strip())
        if match is None or (inside and line.startswith("  ")):
            continue
        if not inside and match["type"].endswith("Warning"):
            continue  # printed in passing, not raised
        following = [later.strip() for later in lines[at + 1 : at + 7]]
        thrown = Thrown(_short(match["type"]), _enough(match, following), frames if inside else [])
        if thrown.type.endswith("ExceptionGroup"):
            frames, bare = [], bare or thrown
            continue
        if inside or styled:
            return thrown
        if bare is None and thrown.type.endswith(_TYPE_WORDS):
            bare = thrown
    return bare


# --- the frame to blame ------------------------------------------------------------------------

_FOREIGN = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python\d|[/\\]Lib[/\\]"
    r"|[/\\]pypy\d[^/\\]*[/\\]|^<|[/\\]_pytest[/\\]|[/\\]telltale[/\\]capture[/\\]|[/\\]telltale_stress[/\\]",
)
_THREAD = re.compile(r"^(?:~+ Stack of (?P<name>\S+)|(?P<current>Current thread)|Thread) .*[~:]$")
_NEWEST_FIRST = "(most recent call first)"


def _blame(frames: list[Frame]) -> Frame | None:
    """Return the innermost frame inside the repository, else the innermost one."""
    for frame in reversed(frames):
        if not _FOREIGN.search(frame.path):
            return frame
    return frames[-1] if frames else None


def _stuck(lines: list[str]) -> Frame | None:
    """Return the frame in which a dump of stacks caught the test, not its harness."""
    stacks: list[tuple[bool, bool, list[Frame]]] = []
    for at, line in enumerate(lines):
        thread = _THREAD.match(line)
        native = _NATIVE.match(line)
        if thread:
            ours = bool(thread["current"]) or thread["name"] == "MainThread"
            stacks.append((ours, _NEWEST_FIRST in line, []))
        elif native and stacks:
            frame = Frame(native["path"], native["function"] or "", _next(lines, at))
            stacks[-1][2].append(frame)
    # The test runs in the main thread: where that is not marked, it is dumped last.
    stacks.reverse()
    for _, newest_first, frames in sorted(stacks, key=lambda stack: not stack[0]):
        for frame in frames if newest_first else frames[::-1]:
            if not _FOREIGN.search(frame.path):
                return frame
    return None


def _where(frame: Frame | None) -> str:
    if frame is None:
        return ""
    source = " ".join(frame.source.split())
    # A test may be renamed, and one cause may hit several: their own names say nothing.
    function = frame.function.split(".")[-1]
    if function.startswith(("test", "<")) and source:
        function = ""
    return " ".join(
        filter(None, (f"in {function}" if function else "", f"at {source}" * bool(source)))
    )


# --- the message, with volatile values renamed -------------------------------------------------

_KEPT = re.compile(
    r"(?:\b(?:Errno|WinError|errno|status(?: code)?|[Ee]xit(?:ed with)?(?: code| status)?|signal|HTTP(?:/[\d.]+)?"
    r"|error code|code|rc|CUDA error|Server Error|Client Error)[ :=]{0,2}-?\d+\b)"
    r"|\b[45]\d\d (?:Client|Server) Error\b"
)
_WITHIN_WORD = r"(?!(?<=[A-Za-z])[A-Za-z](?!:))"
"""Between two letters nothing volatile begins (but for `C:`): said once, not by each of them."""
_VOLATILE = re.compile(
    _WITHIN_WORD + r"(?:(?P<keep>" + _KEPT.pattern + r")"
    r"|(?P<url>\b[a-z][a-z0-9+.-]{1,10}://[^\s'\"<>)\]]+)"
    r"|(?P<uuid>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)"
    r"|(?P<uuidcut>\b[0-9a-f]{8}-[0-9a-f]{1,4}\.\.\.[0-9a-f-]*[0-9a-f]{4,}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)"
    r"|(?P<clock>\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b)"
    r"|(?P<addr>\b0x[0-9a-fA-F]+\b)"
    # In quotes and brackets a path may hold anything.
    r"|(?P<path>(?<=['\"])(?:[A-Za-z]:)?[/\\][^'\"]*[/\\][^'\"]*(?=['\"])"
    r"|(?<=\()/[^()]*/[^()]*(?=\))"
    r"|(?:[A-Za-z]:)?(?:[/\\][\w.@+~%=-]+){2,}[/\\]?|~(?:/[\w.@+~%=-]+)+/?"
    r"|\b[\w.-]+(?:/[\w.@+~%=-]+)*/[\w@+~%=-]+\.\w+)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b)"
    r"|(?P<dur>\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|us|µs|ms|s|sec|secs|seconds?|minutes?|min)\b)"
    r"|(?P<size>\b\d+(?:\.\d+)? ?(?:[KMGT]i?B|[kMG]b|bytes?)\b)"
    r"|(?P<worker>\b(?:[Tt]hread|[Ww]orker|[Rr]ank|[Pp]rocess|pid|PID)[-_ =#]?(?:(?:gw)?\d+|main|master)\b"
    r"|\bgw\d+\b)"
    r"|(?P<hex>\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}\b)"
    r"|(?P<temp>\btmp[a-z0-9_]{6,10}\b)"
    r"|(?P<num>(?<![\w.])-?\d+(?:[_,]\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![A-Za-z_])|\d{3,}))"
)
_LABEL = {
    "uuidcut": "uuid",
    "clock": "time",
    "num": "n",
    "worker": "id",
    "dur": "n s",
    "size": "size",
}


def rename(text: str) -> str:
    """
    Rename volatile values in the order of their appearance.

    Equal long values keep equal names; short numbers are equal by chance too
    often to mean anything. Error, status, signal and exit numbers stay.
    """
    names: dict[tuple[str, str], str] = {}

    def replace(match: re.Match[str]) -> str:
        what, value = str(match.lastgroup), match[0]
        if what == "keep":
            return value
        if what == "path":
            return rename(re.split(r"[/\\]", value.rstrip("/\\"))[-1])
        label = _LABEL.get(what, what)
        if len(value) < 4 or what in {"dur", "size"}:
            return f"<{label}>"
        key = (label, value)
        if key not in names:
            names[key] = f"<{label}{sum(1 for known, _ in names if known == label) + 1}>"
        return names[key]

    short = " ".join(text[:MAX_MESSAGE].split())
    # `<class 'ValueError'>` in one release is `ValueError` in the next.
    short = re.sub(r"<class '([\w.]+)'>", r"\1", short)
    renamed = _VOLATILE.sub(replace, short)
    # How many items a list shows is as volatile as what they are.
    renamed = re.sub(r"<n\d*>(?:, ?<n\d*>){2,}(?:, ?\.\.\.)?", "<numbers>", renamed)
    return renamed[:400]


_ITEMS = re.compile(r"\[[^\[\](){}]*\]|\{[^\[\](){}]*\}")


def _values(thrown: Thrown) -> str:
    """Reduce the compared values of an assertion to what they are; its own words stay."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "<str>", thrown.message)
    text = re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>", "<object>", text)
    for _ in range(4):
        text, count = _ITEMS.subn("<items>", text)
        if not count:
            break
    return text


# --- the kind ----------------------------------------------------------------------------------

_KINDS = {
    "oom": (
        r"(?i:out of memory|oom-kill|memoryerror|bad_alloc|can(?:'|no)t allocate memory)",
        r"STATUS_ALLOC_FAILED",
    ),
    "hang_or_device_timeout": (
        r"(?i:device timeout|potential hang|hang detect|gpu hang|watchdog|launch timed out)",
        r"(?i:collective operation timeout)|BrokenBarrierError|DEADLINE_EXCEEDED",
    ),
    "infra_disk": (
        r"\[Errno (?:5|28|30|116|122)\]",
        r"(?i:no space left|disk quota|read-only file system|stale file handle)",
    ),
    "resource_limit": (
        r"\[Errno (?:11|24|27)\]",
        r"(?i:too many open files|can't start new thread|file size limit|cpu time limit)",
    ),
    "infra_network": (
        r"\[Errno (?:-[235]|98|99|10[0-4]|11[0-3])\]",
        r"Connection(?:Refused|Reset|Aborted|Timeout)?Error|(?:Connect|Read|Proxy|SSL)Error",
        r"(?:Connect|Read)Timeout|RemoteDisconnected|MaxRetryError|NewConnectionError|gaierror",
        r"(?i:name resolution|name or service not known|network is unreachable|no route to host)",
        r"(?i:connection (?:refused|reset|timed out)|address already in use|read timed out)",
        r"\b50[234] Server Error|HTTP Error (?:5\d\d|429)",
    ),
    "infra_other": (
        r"(?i:runner has received a shutdown|lost communication with the server|docker daemon)",
        r"(?i:no cuda-capable device|driver version is insufficient|\bnvml|uncorrectable ecc)",
    ),
    "nan_or_divergence": (
        r"(?i:\bnans?\b|non-?finite|not finite|\bdiverge[ds]?\b|divergence\b|loss is inf)",
    ),
    "nondeterministic_value": (
        r"(?i:unreliable results|not close|not equal to tolerance|not almost equal)",
        r"(?i:inconsistent|non-?determinis|flaky)",
    ),
}
"""Kinds that the type and the words of a failure give away, the most telling first."""
_TELLING = tuple((kind, re.compile("|".join(patterns))) for kind, patterns in _KINDS.items())
_WORDS = {
    "oom": ("out of memory", "oom-kill", "memoryerror", "_alloc", "allocate memory"),
    "hang_or_device_timeout": (
        *("device timeout", "potential hang", "hang detect", "gpu hang", "watchdog"),
        *("launch timed out", "operation timeout", "brokenbarriererror", "deadline_exceeded"),
    ),
    "infra_disk": ("[errno ", "no space left", "disk quota", "file system", "file handle"),
    "resource_limit": ("[errno ", "open files", "new thread", "size limit", "time limit"),
    "infra_network": (
        *("[errno ", "connect", "readerror", "proxyerror", "sslerror", "readtimeout"),
        *("maxretryerror", "gaierror", "name resolution", "name or service", "unreachable"),
        *("no route", "address already", "read timed out", "server error", "http error"),
    ),
    "infra_other": (
        *("shutdown", "lost communication", "docker daemon", "cuda-capable"),
        *("driver version", "nvml", "uncorrectable"),
    ),
    "nan_or_divergence": ("nan", "finite", "diverge", "loss is inf"),
    "nondeterministic_value": (
        *("unreliable results", "not close", "not equal to", "not almost", "inconsistent"),
        *("determinis", "flaky"),
    ),
}
"""What a text must hold, in lower case, for the kind's pattern to find something: found faster."""


def _kind(kind: str, message: str) -> str:
    text = f"{kind}: {message}"
    # Without regard to case, patterns take a few characters beyond ASCII for ASCII ones.
    plain = text.lower() if text.isascii() else ""
    for label, pattern in _TELLING:
        if plain and not _any_in(_WORDS[label], plain):
            continue
        if pattern.search(text):
            return label
    if kind == "AssertionError" or (kind == "Failed" and "DID NOT" in message):
        return "nondeterministic_value" if _volatile_sides(message) else "assertion"
    if kind:
        return "exception"
    return "unknown"


def _any_in(words: tuple[str, ...], text: str) -> bool:
    for word in words:  # noqa: SIM110  # a generator takes three times as long
        if word in text:
            return True
    return False


def _volatile_sides(message: str) -> bool:
    """Whether an equality compares two values of which neither is a constant."""
    sides = re.match(r"(?:assert )?(.+?) (?:==|!=) (.+)$", message)
    if sides is None:
        return False
    found = [_VOLATILE.search(side) for side in sides.groups()]
    if not all(found):
        return False
    classes = [str(match.lastgroup) for match in found if match]
    if classes[0] in {"uuid", "uuidcut", "time", "hex", "temp"} and classes[0] == classes[1]:
        return True
    texts = [match[0] for match in found if match]
    return classes == ["num", "num"] and all("." in text and len(text) > 8 for text in texts)
