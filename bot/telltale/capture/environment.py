"""The `env/` part of a bundle: variables, packages, disks and torch, as texts."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from telltale.capture.interpreter import Interpreter
from telltale.capture.redact import Redactor
from telltale.patterns import pattern

TORCH_S = 60.0
"""Seconds for torch's own report: it starts a process for each thing it asks."""

_NAMES = frozenset(
    # As a text: forty short words are one block for the eye.
    """
    CI PATH HOME SHELL TMPDIR TMP TEMP TZ LANG LANGUAGE TERM COLUMNS LINES NO_COLOR FORCE_COLOR
    PY_COLORS VIRTUAL_ENV SOURCE_DATE_EPOCH LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH
    GLIBC_TUNABLES CC CXX CFLAGS CXXFLAGS LDFLAGS RUSTFLAGS MAKEFLAGS ImageOS ImageVersion
    WORLD_SIZE RANK LOCAL_RANK LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT TOKENIZERS_PARALLELISM
    HF_HOME HF_HUB_OFFLINE HF_DATASETS_OFFLINE TRANSFORMERS_OFFLINE WANDB_MODE WANDB_DISABLED
    NODE_ENV NODE_OPTIONS GOMAXPROCS GOFLAGS RUST_BACKTRACE RUST_TEST_THREADS JAVA_HOME
    """.split()  # noqa: SIM905
)
_KEY_PACKAGES = frozenset(
    """
    numpy scipy pandas polars pyarrow numba scikit-learn torch torchvision torchaudio triton tensorflow jax
    jaxlib flax keras transformers accelerate lightning pytorch-lightning cupy onnxruntime xgboost
    lightgbm opencv-python mkl openblas pytest pytest-xdist pytest-timeout pytest-cov hypothesis
    """.split()  # noqa: SIM905
)
_KEY_FAMILIES = pattern(r"(?:nvidia|cuda|cupy-cuda|jax-cuda|triton|onnxruntime)-")
_LOCKS = (
    *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock", "conda-lock.yml"),
    *("pylock.toml", "requirements.txt", "environment.yml"),
)
_PREFIXES = (
    *("GITHUB_", "RUNNER_", "LC_", "PYTHON", "PYTEST_", "TOX_", "NOX_", "CONDA_", "COVERAGE_"),
    *("HYPOTHESIS_", "UV_", "PIP_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_"),
    *("NUMEXPR_", "NUMBA_", "VECLIB_", "NPY_", "NUMPY_", "TBB_", "MALLOC_", "JEMALLOC_"),
    *("CUDA_", "CUDNN_", "CUBLAS_", "NCCL_", "NVIDIA_", "NV_", "TORCH", "PYTORCH_", "TRITON_"),
    *("TF_", "XLA_", "JAX_", "KERAS_", "HIP_", "HSA_", "ROCM_", "ROCR_", "MIOPEN_", "GPU_"),
    *("AMD_", "RCCL_", "GLOO_", "ACCELERATE_", "SLURM_", "DEEPSPEED_", "ONEDNN_", "DNNL_"),
)


def variables_text(environ: Mapping[str, str], redactor: Redactor) -> str:
    """Return `env.txt`: allowed variables with redacted values, of all others the names alone."""
    allowed = sorted(name for name in environ if _allowed(name))
    others = sorted(set(environ) - set(allowed))
    return "".join(
        (
            "# The command's variables that are known to matter; values are redacted.\n",
            *(f"{name}={_one_line(redactor.value(name, environ[name]))}\n" for name in allowed),
            f"# Set as well, {len(others)}; their values are not kept:\n",
            *(f"# {_one_line(name)}\n" for name in others),
        )
    )


def packages_text(
    interpreter: Interpreter | None,
    redactor: Redactor,
    locks: Iterable[Path] = (),
) -> str:
    """
    Return `packages.txt`: what is installed in the command's Python, as `pip freeze` words it.

    Behind it what a conda environment holds, and the digests of `locks`.
    """
    tail = "".join(f"# {path.name} sha256:{_digest(path)}\n" for path in locks)
    if interpreter is None:
        return f"# no Python was found in the PATH of the command\n{tail}"
    path = redactor.text(interpreter.path)
    head = f"# {interpreter.implementation} {interpreter.version} at {path}\n"
    if interpreter.packages is None:
        return head + "# it could not list its packages\n" + tail
    lines = sorted(
        (
            f"{name} @ {redactor.text(origin)}  # {version}\n"
            if (origin := interpreter.origins.get(name))
            else f"{name}=={version}\n"
            for name, version in interpreter.packages.items()
        ),
        key=str.lower,
    )
    if interpreter.conda:
        lines += ["# conda\n", *(f"# {package}\n" for package in interpreter.conda)]
    return head + "".join(lines) + tail


def key_packages(interpreter: Interpreter | None) -> dict[str, str]:
    """Return versions of the packages that figures depend on most, by their normal names."""
    installed = (interpreter.packages if interpreter else None) or {}
    normal = {re.sub(r"[-_.]+", "-", name).lower(): installed[name] for name in installed}
    return {
        name: normal[name]
        for name in sorted(normal)
        if name in _KEY_PACKAGES or _KEY_FAMILIES.match(name)
    }


def locks(folders: Iterable[Path]) -> list[Path]:
    """Return the lock files of some folders."""
    found = (folder / name for folder in dict.fromkeys(folders) for name in _LOCKS)
    return [path for path in found if path.is_file()]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"unknown: {error.strerror or error}"


def disks_text(folders: Iterable[Path], redactor: Redactor) -> str:
    """Return `disk_usage.txt`: room and inodes of the file systems of some folders."""
    lines = [f"{'bytes':>16} {'used':>16} {'free':>16} {'use':>5} {'free inodes':>12}  folder"]
    for folder in dict.fromkeys(folders):
        try:
            found = os.statvfs(folder)
        except OSError as error:
            lines.append(f"# {redactor.text(str(folder))}: {error.strerror or error}")
            continue
        total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        share = round(100 * used / total) if total else 0
        lines.append(
            f"{total:>16} {used:>16} {free:>16} {share:>4}% {found.f_favail:>12}"
            f"  {redactor.text(str(folder))}"
        )
    return "\n".join(lines) + "\n"


def torch_text(
    interpreter: Interpreter, cwd: Path, environ: Mapping[str, str], redactor: Redactor
) -> str:
    """Return `torch_env.txt`: what torch's own report says; one line instead when it says nothing."""
    try:
        answer = subprocess.run(
            [interpreter.path, "-m", "torch.utils.collect_env"],
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TORCH_S,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return f"# torch.utils.collect_env took longer than {TORCH_S:g} s\n"
    except (OSError, subprocess.SubprocessError) as error:
        return f"# torch.utils.collect_env failed: {redactor.text(str(error))}\n"
    return redactor.text(answer.stdout.decode("utf-8", "replace"))


def _allowed(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES)


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", lambda found: repr(found[0])[1:-1], text)
