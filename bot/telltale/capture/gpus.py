"""
The GPUs of the machine, by their vendors' own programs: nvidia-smi, amd-smi, rocm-smi.

Nothing is installed and no library is loaded. A field that a device or a
driver does not tell is null; a machine without such a program has no GPU as
far as we know, and `why` says so.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from telltale.capture.beside import Program
from telltale.capture.programs import which
from telltale.capture.tree import Process

_LIMIT_S = 10.0
_MOST = 64
_BASIC = ("name", "driver_version")
_NVIDIA = (
    *_BASIC,
    *("index", "uuid", "memory.total", "memory.used", "clocks.max.sm", "clocks.max.memory"),
    *("power.limit", "ecc.mode.current", "mig.mode.current", "persistence_mode", "compute_mode"),
    *("pstate", "temperature.gpu", "ecc.errors.uncorrected.volatile.total"),
)
_REASONS = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
"""Why a GPU is slower than it could be; drivers before 535 know the second name alone."""
SAMPLED = (
    *("timestamp", "index", "utilization.gpu", "utilization.memory", "memory.used"),
    *("temperature.gpu", "clocks.sm", "clocks.mem", "power.draw", "pstate"),
)
"""Columns of `artifacts/gpu.csv`, and why the clocks are held down where the driver tells."""
INTERVAL_MS = 1000


def look(environ: Mapping[str, str]) -> dict[str, Any]:
    """
    Return `source`, `devices` and `why`, which is null when there are devices.

    Takes at most 40 s, when drivers hang; without a vendor's program no
    process is started.
    """
    path = environ.get("PATH", "/usr/bin:/bin")
    for name, ask in (("nvidia-smi", _nvidia), ("amd-smi", _amd), ("rocm-smi", _rocm)):
        program = which(name, path=path)
        if program is None:
            continue
        try:
            found = ask(program, environ)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            return {"source": name, "devices": None, "why": f"{name} failed: {error!r:.200}"}
        if found["devices"]:
            return {"source": name, **found, "why": None}
        return {"source": name, "devices": [], "why": f"{name} names no device"}
    return {"source": None, "devices": [], "why": "neither nvidia-smi nor amd-smi is in PATH"}


def part(found: Mapping[str, Any]) -> str:
    """Return the part of the fingerprint: names and drivers, `none`, or `unknown`."""
    if found["devices"] is None:
        return "unknown"
    names = (
        ", ".join(filter(None, (each["name"], each["driver"], "MIG" if each.get("mig") else "")))
        for each in found["devices"]
    )
    return "; ".join(sorted(filter(None, names))) or "none"


class Sampler(Program):
    """nvidia-smi, which writes a row for each GPU every second: beside the command, not of it."""

    name = "the GPU sampler"

    def __init__(self, program: str, fields: Sequence[str], log: Path) -> None:
        self.log = log
        self._program = program
        self._fields = fields

    def argv(self, root: int, living: Sequence[Process]) -> Sequence[str]:  # noqa: ARG002
        """Return the query that goes on until it is interrupted."""
        return [
            self._program,
            f"--query-gpu={','.join(self._fields)}",
            "--format=csv,nounits",
            *("-lms", str(INTERVAL_MS)),
        ]

    def ended(self, status: int) -> bool:  # noqa: ARG002
        """Never start it again: a driver that fails once fails every second."""
        return False


def sampler(found: Mapping[str, Any], environ: Mapping[str, str], log: Path) -> list[Program]:
    """Return what samples the GPUs while the command runs; nothing without nvidia-smi's devices."""
    program = which("nvidia-smi", path=environ.get("PATH", "/usr/bin:/bin"))
    if program is None or found.get("source") != "nvidia-smi" or not found["devices"]:
        return []
    reasons = found.get("reasons")
    return [Sampler(program, (*SAMPLED, *([reasons] if reasons else [])), log)]


def _nvidia(program: str, environ: Mapping[str, str]) -> dict[str, Any]:
    for reasons in (*_REASONS, None):
        fields = _NVIDIA + ((reasons,) if reasons else ())
        try:
            rows = _rows(program, "gpu", fields, environ)
            break
        except subprocess.CalledProcessError:
            # One field that the driver does not know fails the whole question.
            continue
    else:
        fields, reasons = _BASIC, None
        rows = _rows(program, "gpu", fields, environ)
    devices = [_nvidia_device(dict(zip(fields, row, strict=False))) for row in rows[:_MOST]]
    return {"devices": devices, "reasons": reasons, "processes": _tenants(program, environ)}


def _nvidia_device(row: Mapping[str, str]) -> dict[str, Any]:
    value = {name: _known(text) for name, text in row.items()}
    return {
        "name": value.get("name"),
        "driver": value.get("driver_version"),
        "index": _number(value.get("index")),
        # Which of several it was, without saying which of all in the world.
        "id": _digest(value.get("uuid")),
        "memory_mib": _number(value.get("memory.total")),
        "memory_used_mib": _number(value.get("memory.used")),
        "max_sm_mhz": _number(value.get("clocks.max.sm")),
        "max_memory_mhz": _number(value.get("clocks.max.memory")),
        "power_limit_w": _number(value.get("power.limit")),
        "ecc": _switch(value.get("ecc.mode.current")),
        "ecc_errors": _number(value.get("ecc.errors.uncorrected.volatile.total")),
        "mig": _switch(value.get("mig.mode.current")),
        "persistence": _switch(value.get("persistence_mode")),
        "compute_mode": value.get("compute_mode"),
        "pstate": value.get("pstate"),
        "temperature_c": _number(value.get("temperature.gpu")),
        "clocks_held_by": next((value[name] for name in _REASONS if name in value), None),
    }


def _tenants(program: str, environ: Mapping[str, str]) -> int | None:
    """Return how many processes compute on the GPUs before the command starts: other tenants."""
    try:
        return len(_rows(program, "compute-apps", ("pid",), environ))
    except (OSError, subprocess.SubprocessError):
        return None


def _rows(
    program: str, what: str, fields: Sequence[str], environ: Mapping[str, str]
) -> list[list[str]]:
    question = [f"--query-{what}={','.join(fields)}", "--format=csv,noheader,nounits"]
    import csv  # noqa: PLC0415  # for machines with GPUs alone

    lines = csv.reader(io.StringIO(_ask([program, *question], environ)), skipinitialspace=True)
    return [row for row in lines if any(cell.strip() for cell in row)]


def _amd(program: str, environ: Mapping[str, str]) -> dict[str, Any]:
    answer = json.loads(_ask([program, "static", "--asic", "--driver", "--json"], environ))
    entries = answer.get("gpu_data", []) if isinstance(answer, Mapping) else answer
    return {"devices": [_amd_device(entry) for entry in _mappings(entries)]}


def _amd_device(entry: Mapping[str, Any]) -> dict[str, Any]:
    asic, driver = entry.get("asic"), entry.get("driver")
    return {
        "name": _text(asic, "market_name"),
        "driver": _text(driver, "version") or _text(driver, "driver_version"),
        "index": _number(str(entry.get("gpu", ""))),
        "id": _digest(_text(asic, "asic_serial")),
    }


def _rocm(program: str, environ: Mapping[str, str]) -> dict[str, Any]:
    question = [program, "--showproductname", "--showdriverversion", "--json"]
    answer = json.loads(_ask(question, environ))
    if not isinstance(answer, Mapping):
        raise ValueError("its answer is no JSON object")  # noqa: TRY004  # as above
    driver = _text(answer.get("system"), "Driver version")
    cards = {name: card for name, card in answer.items() if re.fullmatch(r"card\d+", name)}
    return {
        "devices": [
            {
                "name": _text(card, "Card Series") or _text(card, "Card series"),
                "driver": driver,
                "index": int(name[4:]),
                "id": None,
            }
            for name, card in sorted(cards.items())
        ][:_MOST]
    }


def _ask(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    answer = subprocess.run(
        argv,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_LIMIT_S,
        check=True,
    )
    return answer.stdout.decode("utf-8", "replace")


def _mappings(entries: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(entries, list):
        raise ValueError("its answer is no list of devices")  # noqa: TRY004  # it is an answer, no argument
    yield from (entry for entry in entries[:_MOST] if isinstance(entry, Mapping))


def _text(entry: Any, key: str) -> str | None:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    return _known(value) if isinstance(value, str) else None


def _known(text: str) -> str | None:
    """Return None for what the vendors' programs say when they do not know: `[N/A]` and its like."""
    text = text.strip()
    unknown = text.strip("[]").lower() in {"", "n/a", "not supported", "unknown error"}
    return None if unknown else text


def _number(text: str | None) -> float | None:
    found = re.match(r"\d+(?:\.\d+)?", text or "")
    if found is None:
        return None
    return float(found[0]) if "." in found[0] else int(found[0])


def _switch(text: str | None) -> bool | None:
    return {"enabled": True, "disabled": False}.get((text or "").lower())


def _digest(text: str | None) -> str | None:
    return hashlib.sha256(text.encode()).hexdigest()[:8] if text else None
