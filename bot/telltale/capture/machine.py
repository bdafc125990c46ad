"""
What explains a figure beside the fingerprint: governor, huge pages, limits, throttling.

Read from /proc and /sys, a few dozen small files; what a kernel, a container
or another system does not tell is null.
"""

from __future__ import annotations

import os
import re
import resource
from collections import Counter
from pathlib import Path
from typing import Any

from telltale.capture import kernel

_CPUS = "sys/devices/system/cpu"
_DMI = "sys/class/dmi/id"
_UNLIMITED = resource.RLIM_INFINITY


def details(root: Path = Path("/")) -> dict[str, Any]:
    """Return what does not change while a command runs; `root` has the folders proc and sys."""
    return {
        "kernel": os.uname().release or None,
        "cpu": {
            "online": os.cpu_count(),
            "allowed": _ranges(_affinity()),
            "governors": _governors(root),
            "turbo": _turbo(root),
            "smt": _line(root / _CPUS / "smt/control"),
            "max_mhz": _mhz(root / _CPUS / "cpu0/cpufreq/cpuinfo_max_freq"),
        },
        "numa_nodes": len([*root.glob("sys/devices/system/node/node[0-9]*")]) or None,
        "clock_source": _line(
            root / "sys/devices/system/clocksource/clocksource0/current_clocksource"
        ),
        "transparent_huge_pages": _chosen(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        "swap_bytes": meminfo("SwapTotal", root),
        "swappiness": _number(root / "proc/sys/vm/swappiness"),
        "virtualisation": _virtualisation(root),
        "limits": _limits(),
    }


def counters(root: Path = Path("/")) -> dict[str, Any]:
    """Return what counts up while the machine holds a command back."""
    return {
        "cgroup_throttling": kernel.cpu_throttling(),
        "thermal_throttles": _thermal(root),
        "mhz": _mean_mhz(root),
        "swap_free_bytes": meminfo("SwapFree", root),
    }


def meminfo(name: str, root: Path = Path("/")) -> int | None:
    """Return a line of /proc/meminfo in bytes."""
    found = re.search(rf"^{name}: *(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _affinity() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _ranges(numbers: list[int]) -> str | None:
    """Return `0-3,8` for 0, 1, 2, 3 and 8."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts) or None


def _governors(root: Path) -> dict[str, int] | None:
    paths = root.glob(f"{_CPUS}/cpu[0-9]*/cpufreq/scaling_governor")
    return dict(Counter(filter(None, map(_line, paths)))) or None


def _turbo(root: Path) -> bool | None:
    # Intel's driver says whether it is off, all others whether it is on.
    off = _line(root / _CPUS / "intel_pstate/no_turbo")
    if off is not None:
        return off == "0"
    on = _line(root / _CPUS / "cpufreq/boost")
    return None if on is None else on == "1"


def _chosen(path: Path) -> str | None:
    """Return the one in brackets, as in `always [madvise] never`."""
    found = re.search(r"\[(\w+)\]", _text(path))
    return found[1] if found else None


def _virtualisation(root: Path) -> dict[str, Any]:
    flags = re.search(r"^flags\s*:(.*)$", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return {
        "hypervisor": "hypervisor" in flags[1].split() if flags else None,
        "vendor": _line(root / _DMI / "sys_vendor"),
        "product": _line(root / _DMI / "product_name"),
    }


def _limits() -> dict[str, list[int | str]]:
    """Return soft and hard limits by their names in `ulimit -a` of a shell's documentation."""
    names = {name: getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
    return {
        name.removeprefix("RLIMIT_").lower(): [
            "unlimited" if value == _UNLIMITED else value for value in resource.getrlimit(number)
        ]
        for name, number in sorted(names.items())
    }


def _thermal(root: Path) -> int | None:
    counts = map(_number, root.glob(f"{_CPUS}/cpu[0-9]*/thermal_throttle/core_throttle_count"))
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _mean_mhz(root: Path) -> float | None:
    speeds = map(_mhz, root.glob(f"{_CPUS}/cpu[0-9]*/cpufreq/scaling_cur_freq"))
    known = [speed for speed in speeds if speed is not None]
    return round(sum(known) / len(known), 1) if known else None


def _mhz(path: Path) -> float | None:
    khz = _number(path)
    return None if khz is None else khz / 1000


def _number(path: Path) -> int | None:
    line = _line(path) or ""
    return int(line) if line.isdecimal() else None


def _line(path: Path) -> str | None:
    return _text(path).partition("\n")[0].strip() or None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
