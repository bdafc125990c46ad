"""The machine: what figures depend on (the fingerprint) and how busy it was."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from telltale.capture import kernel, machine
from telltale.model import HARDWARE_PARTS, RUNNER_CLASS, Host
from telltale.values import replace

_UNKNOWN = "unknown"


def describe(python: str, gpu: str, *, image: str = "", runner_class: str = "") -> Host:
    """
    Return the machine with its fingerprint.

    `python` is the version of the command's Python as in `3.11`, `gpu` what
    `gpus.part` says, `image` the container's, which only the workflow knows,
    `runner_class` the name under which people know machines as equal.
    The fingerprint is the beginning of the SHA-256 of the parts as canonical
    JSON; what nobody could tell is `unknown`, never left out.
    """
    container = _in_container()
    parts = {
        "cpu": _cpu_model(),
        "cpus": str(_cpus()),
        "memory_gib": _memory_gib(),
        "cgroup_cpus": _limit(kernel.cpu_limit()),
        "cgroup_memory_gib": _limit(kernel.memory_limit(), 1 << 30),
        "os": _os(),
        "kernel": ".".join(re.findall(r"\d+", os.uname().release)[:2]) or _UNKNOWN,
        "architecture": os.uname().machine or _UNKNOWN,
        "python": python or "none",
        "gpus": gpu,
        "container": "yes" if container else "no",
        "image": image or (_UNKNOWN if container else "none"),
    }
    if runner_class:
        parts[RUNNER_CLASS] = runner_class
    return Host(fingerprint=fingerprint(parts), parts=parts)


def fingerprint(parts: Mapping[str, str]) -> str:
    """
    Return 16 hex digits that are equal exactly for equal parts, in whatever order.

    Where a runner class is named, the parts of the hardware, for which it stands, do not count.
    """
    left_out = HARDWARE_PARTS if RUNNER_CLASS in parts else frozenset()
    counted = {name: value for name, value in parts.items() if name not in left_out}
    text = json.dumps(counted, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load() -> dict[str, Any]:
    """Return how busy the machine is now: load average and, where the kernel tells it, pressure."""
    try:
        average: list[float] | None = [round(value, 2) for value in os.getloadavg()]
    except OSError:
        average = None
    return {
        "load_average": average,
        "pressure": {name: _pressure(name) for name in ("cpu", "io", "memory")},
        "available_memory_bytes": machine.meminfo("MemAvailable"),
        **machine.counters(),
    }


def busy(host: Host, before: Mapping[str, Any]) -> Host:
    """Return the host with how busy it was, as `load` said before the command started."""
    average = before.get("load_average")
    return replace(
        host,
        load_average=average[0] if average else None,
        # Not the CPUs that we may use: the load average counts what waits for any of them.
        online_cpus=os.cpu_count(),
    )


def document(
    host: Host,
    beside: Mapping[str, Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any] | None,
) -> str:
    """Return `host.json`; `beside` is in no fingerprint, `after` is None while the command runs."""
    content = {
        "fingerprint": host.fingerprint,
        "parts": dict(host.parts),
        **beside,
        "before": before,
        "after": after,
    }
    return json.dumps(content, indent=2) + "\n"


def _cpu_model() -> str:
    for key in ("model name", "Model", "cpu model", "Hardware", "Processor"):
        found = re.search(rf"^{key}\s*: *(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
        if found:
            return " ".join(found[1].split())
    import platform  # noqa: PLC0415  # 2 ms, for machines whose /proc does not tell

    return platform.processor() or _UNKNOWN


def _cpus() -> int:
    # Not cpu_count: a container or taskset may leave us fewer.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> str:
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return _UNKNOWN
    return str(round(size / (1 << 30)))


def _limit(value: float | None, unit: int = 1) -> str:
    return "none" if value is None else f"{value / unit:g}"


def _os() -> str:
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', _text("/etc/os-release"), re.MULTILINE))
    if "ID" in fields:
        return f"{fields['ID']} {fields.get('VERSION_ID', '')}".strip()
    return f"{os.uname().sysname} {os.uname().release}".strip() or _UNKNOWN


def _in_container() -> bool:
    if any(Path(name).exists() for name in ("/.dockerenv", "/run/.containerenv")):
        return True
    return bool(re.search(r"/(docker|kubepods|lxc|containerd)[/-]", _text("/proc/1/cgroup")))


def _pressure(name: str) -> dict[str, float] | None:
    """Return the shares of time, in percent, that something waited in the last 10, 60 and 300 s."""
    found = re.search(r"^some (.*)$", _text(f"/proc/pressure/{name}"), re.MULTILINE)
    if not found:
        return None
    pairs = dict(re.findall(r"(avg\d+)=([\d.]+)", found[1]))
    return {key: float(value) for key, value in pairs.items()}


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
