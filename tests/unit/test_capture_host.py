"""
The machine beside its fingerprint, and its GPUs.

The vendors' programs are stand-ins: they print what the vendors document, in
the words and the damage of their kind. No test here has seen a GPU.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from telltale.capture import gpus, machine
from telltale.capture.beside import Beside

SMI = r"""#!/bin/sh
case "$*" in
*-lms*)
    echo 'timestamp, index, utilization.gpu [%], utilization.memory [%]'
    echo '2026/11/25 03:00:00.000, 0, 97, 41'
    exec sleep 1000 ;;
*query-compute-apps*) printf '4711\n4712\n' ;;
*"{unknown}"*) echo 'Field "{unknown}" is not a valid field to query.'; exit 2 ;;
*) cat <<'END'
{rows}
END
esac
"""
H100 = (
    "NVIDIA H100 80GB HBM3, 570.86.15, 0, GPU-5fd4f087-86f3-7a43-b711-4771313afc50, 81559, 4,"
    " 1980, 2619, 700.00, Enabled, Disabled, Enabled, Default, P0, 31, 0, 0x0000000000000001"
)
OLD = (
    "Tesla K80, 470.57.02, 1, GPU-0, 11441, [N/A], 875, [Not Supported], 149.00, Disabled, [N/A],"
    " Disabled, Default, P8, 40, [Unknown Error]"
)


def program(folder: Path, name: str, script: str) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(script, "ascii")
    path.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def smi(tmp_path: Path, *rows: str, unknown: str = "no such field") -> dict[str, str]:
    script = SMI.replace("{rows}", "\n".join(rows)).replace("{unknown}", unknown)
    return program(tmp_path / "bin", "nvidia-smi", script)


def test_nvidia_tells_all(tmp_path: Path) -> None:
    found = gpus.look(smi(tmp_path, H100))

    assert gpus.part(found) == "NVIDIA H100 80GB HBM3, 570.86.15"
    assert found["why"] is None
    assert found["processes"] == 2
    assert found["devices"] == [
        {
            "name": "NVIDIA H100 80GB HBM3",
            "driver": "570.86.15",
            "index": 0,
            "id": "01cb0316",
            "memory_mib": 81559,
            "memory_used_mib": 4,
            "max_sm_mhz": 1980,
            "max_memory_mhz": 2619,
            "power_limit_w": 700.0,
            "ecc": True,
            "ecc_errors": 0,
            "mig": False,
            "persistence": True,
            "compute_mode": "Default",
            "pstate": "P0",
            "temperature_c": 31,
            "clocks_held_by": "0x0000000000000001",
        }
    ]
    assert "5fd4f087" not in json.dumps(found)


def test_what_a_device_does_not_tell_is_null(tmp_path: Path) -> None:
    # This driver knows neither name of the reasons.
    found = gpus.look(smi(tmp_path, OLD, unknown="_reasons.active"))

    (device,) = found["devices"]
    assert gpus.part(found) == "Tesla K80, 470.57.02"
    absent = {name for name, value in device.items() if value is None}
    assert absent == {"memory_used_mib", "max_memory_mhz", "ecc_errors", "mig", "clocks_held_by"}
    assert found["reasons"] is None


def test_a_driver_that_knows_less_tells_name_and_version(tmp_path: Path) -> None:
    found = gpus.look(smi(tmp_path, "Tesla M2070, 390.157", unknown="mig.mode.current"))

    assert gpus.part(found) == "Tesla M2070, 390.157"


def test_a_partitioned_device_is_another_one(tmp_path: Path) -> None:
    row = H100.replace("Enabled, Disabled, Enabled", "Enabled, Enabled, Enabled")

    assert gpus.part(gpus.look(smi(tmp_path, row))) == "NVIDIA H100 80GB HBM3, 570.86.15, MIG"


def test_devices_are_in_one_order_whatever_the_driver_says(tmp_path: Path) -> None:
    found = gpus.look(smi(tmp_path, "NVIDIA H200, 570.10", "NVIDIA H100, 570.10"))

    assert gpus.part(found) == "NVIDIA H100, 570.10; NVIDIA H200, 570.10"


@pytest.mark.parametrize(
    ("name", "script", "part", "why"),
    [
        ("nvidia-smi", "exit 9", "unknown", "nvidia-smi failed: CalledProcessError(9"),
        ("nvidia-smi", "true", "none", "nvidia-smi names no device"),
        ("amd-smi", "echo nonsense", "unknown", "amd-smi failed: JSONDecodeError("),
        ("amd-smi", "echo '[]'", "none", "amd-smi names no device"),
        ("rocm-smi", "echo '[]'", "unknown", "rocm-smi failed: ValueError("),
        ("other", "true", "none", "neither nvidia-smi nor amd-smi is in PATH"),
    ],
)
def test_no_device_has_a_reason(
    name: str, script: str, part: str, why: str, tmp_path: Path
) -> None:
    found = gpus.look(program(tmp_path / "bin", name, f"#!/bin/sh\n{script}\n"))

    assert gpus.part(found) == part
    assert found["why"].startswith(why)


@pytest.mark.parametrize(
    "answer",
    [
        [{"gpu": 0, "asic": {"market_name": "AMD Instinct MI300X", "asic_serial": "0x1"},
          "driver": {"name": "amdgpu", "version": "6.8.5"}}],
        {"gpu_data": [{"gpu": 0, "asic": {"market_name": "AMD Instinct MI300X"},
                       "driver": {"driver_version": "6.8.5"}}]},
    ],
    ids=["list", "wrapped"],
)  # fmt: skip
def test_amd_smi(answer: object, tmp_path: Path) -> None:
    script = f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n"
    found = gpus.look(program(tmp_path / "bin", "amd-smi", script))

    assert gpus.part(found) == "AMD Instinct MI300X, 6.8.5"
    assert found["devices"][0]["index"] == 0


def test_rocm_smi(tmp_path: Path) -> None:
    answer = {
        "card0": {"Card Series": "AMD Instinct MI250X", "Card SKU": "D65209"},
        "card1": {"Card series": "AMD Instinct MI250X"},
        "system": {"Driver version": "6.3.6"},
    }
    script = f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n"
    found = gpus.look(program(tmp_path / "bin", "rocm-smi", script))

    assert gpus.part(found) == "AMD Instinct MI250X, 6.3.6; AMD Instinct MI250X, 6.3.6"


# Sampling


def test_the_sampler_writes_until_it_is_interrupted(tmp_path: Path) -> None:
    environ, log = smi(tmp_path, H100), tmp_path / "gpu.csv"
    (program_,) = gpus.sampler(gpus.look(environ), environ, log)
    beside = Beside([program_], environ)

    beside.begin(os.getpid())
    beside.tick(list)
    (pid,) = beside.pids
    while len(log.read_bytes().splitlines()) < 2:
        os.sched_yield()
    beside.interrupt()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert beside.gone()
    assert beside.problems == []
    assert log.read_text("ascii").splitlines()[1] == "2026/11/25 03:00:00.000, 0, 97, 41"


def test_without_a_device_nothing_is_sampled(tmp_path: Path) -> None:
    environ = program(tmp_path / "bin", "nvidia-smi", "#!/bin/sh\ntrue\n")

    assert gpus.sampler(gpus.look(environ), environ, tmp_path / "gpu.csv") == []


# The machine


def test_this_machine_is_told_as_json() -> None:
    found = json.loads(json.dumps({**machine.details(), **machine.counters()}))

    assert found["cpu"]["online"] == os.cpu_count()
    assert found["limits"]["nofile"][0] == "unlimited" or found["limits"]["nofile"][0] > 0


def test_files_of_another_machine(tmp_path: Path) -> None:
    cpus = "sys/devices/system/cpu"
    for name, text in {
        f"{cpus}/cpu0/cpufreq/scaling_governor": "powersave\n",
        f"{cpus}/cpu1/cpufreq/scaling_governor": "powersave\n",
        f"{cpus}/cpu2/cpufreq/scaling_governor": "performance\n",
        f"{cpus}/cpu0/cpufreq/cpuinfo_max_freq": "3400000\n",
        f"{cpus}/cpu0/cpufreq/scaling_cur_freq": "1200000\n",
        f"{cpus}/cpu1/cpufreq/scaling_cur_freq": "1300000\n",
        f"{cpus}/cpu0/thermal_throttle/core_throttle_count": "7\n",
        f"{cpus}/cpu1/thermal_throttle/core_throttle_count": "5\n",
        f"{cpus}/intel_pstate/no_turbo": "1\n",
        f"{cpus}/smt/control": "on\n",
        "sys/devices/system/node/node0/x": "",
        "sys/devices/system/node/node1/x": "",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        "sys/class/dmi/id/sys_vendor": "QEMU\n",
        "proc/meminfo": "MemTotal: 100 kB\nSwapTotal:      2048 kB\nSwapFree:  1024 kB\n",
        "proc/cpuinfo": "flags\t\t: fpu vme hypervisor lahf_lm\n",
        "proc/sys/vm/swappiness": "60\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "ascii")

    found, counted = machine.details(tmp_path), machine.counters(tmp_path)

    assert found["cpu"]["governors"] == {"powersave": 2, "performance": 1}
    assert found["cpu"]["turbo"] is False
    assert (found["cpu"]["smt"], found["cpu"]["max_mhz"]) == ("on", 3400.0)
    assert (found["numa_nodes"], found["clock_source"]) == (2, "tsc")
    assert found["transparent_huge_pages"] == "madvise"
    assert (found["swap_bytes"], found["swappiness"]) == (2048 * 1024, 60)
    assert found["virtualisation"] == {"hypervisor": True, "vendor": "QEMU", "product": None}
    assert counted["thermal_throttles"] == 12
    assert counted["mhz"] == 1250.0
    assert counted["swap_free_bytes"] == 1024 * 1024


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found, counted = machine.details(tmp_path), machine.counters(tmp_path)

    assert found["cpu"]["governors"] is None
    assert found["cpu"]["turbo"] is None
    assert found["numa_nodes"] is None
    assert found["virtualisation"] == {"hypervisor": None, "vendor": None, "product": None}
    assert counted["thermal_throttles"] is None
    assert counted["mhz"] is None
