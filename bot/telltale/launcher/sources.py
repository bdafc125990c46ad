"""
Where packages come from, as the machine's owner told pip or uv.

What says how packages are reached (index, proxy, certificates) is kept; what
would send the packages elsewhere (target, prefix, user) is not.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from telltale.errors import SetupError

PYPI = "PyPI"
"""What pip and uv ask when nobody told them anything else."""

_PIP_ROUTE = frozenset(
    {
        "cert",
        "client-cert",
        "extra-index-url",
        "find-links",
        "index-url",
        "keyring-provider",
        "no-index",
        "proxy",
        "trusted-host",
    }
)
_PIP_KEPT = _PIP_ROUTE | {
    "cache-dir",
    "default-timeout",
    "no-cache-dir",
    "retries",
    "timeout",
    "use-feature",
}
_UV_SOURCES = frozenset(
    {"UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX", "UV_INDEX_URL"}
)
_UV_ROUTE = _UV_SOURCES | {
    "UV_CONFIG_FILE",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_NATIVE_TLS",
    "UV_NO_INDEX",
    "UV_SYSTEM_CERTS",
}
_UV_KEPT = re.compile(
    r"UV_(CACHE_DIR|CONCURRENT_\w+|HTTP_\w+|INDEX_\w+|LINK_MODE|NO_CACHE|NO_CONFIG|OFFLINE)"
)
_DROPPED = ("PYTHON", "PIP_", "UV_", "VIRTUAL_ENV", "CONDA_", "TELLTALE_")


def pip_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """
    Return what pip's files and variables say about reaching packages, by option.

    Later files win over earlier ones, `[install]` over `[global]`, variables
    over files. Source: pip's "Configuration" page. Raises `SetupError` for a
    file that pip could not read either.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in _pip_files(environ):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            reason = str(error).partition("\n")[0]
            raise SetupError(f"cannot read pip's configuration in {path}: {reason}") from error
        for section, options in sections.items():
            if parser.has_section(section):
                options.update(parser.items(section))
    variables = {name[4:]: text for name, text in environ.items() if name.startswith("PIP_")}
    settings: dict[str, str] = {}
    for options in (*sections.values(), variables):
        for name, text in options.items():
            option = name.lower().replace("_", "-")
            if option in _PIP_KEPT and text:
                settings[option] = text
    return settings


def pip_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that give pip these settings and no others."""
    variables = {"PIP_" + name.upper().replace("-", "_"): text for name, text in settings.items()}
    # pip takes this for "read no files": there is no other way to forget a `target` in one.
    return variables | {"PIP_CONFIG_FILE": os.devnull}


def told_pip_alone(settings: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """
    Return whether the machine's owner told pip the way to packages, and uv nothing.

    uv reads no configuration of pip's, and would take the straight way to PyPI.
    """
    uv_files = (_config_home(environ) / "uv" / "uv.toml", Path("/etc/uv/uv.toml"))
    told_uv = any(environ.get(name) for name in _UV_ROUTE) or any(map(Path.exists, uv_files))
    return not told_uv and bool(_PIP_ROUTE & settings.keys())


def pip_sources(settings: Mapping[str, str]) -> str:
    """Return where pip looks for packages, for people: addresses without credentials."""
    index = "" if settings.get("no-index") else settings.get("index-url", PYPI)
    more = (settings.get(name, "") for name in ("extra-index-url", "find-links"))
    return _public(" ".join((index, *more)))


def uv_sources(environ: Mapping[str, str]) -> str:
    """Return where uv looks for packages, for people: addresses without credentials."""
    index = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or PYPI
    more = (environ.get(name, "") for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"))
    return _public(" ".join((index, *more)))


def without_credentials(text: str) -> str:
    """Return the text with `user:password@` removed from every address in it."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an installer may see: the job's, less what would mislead it."""
    return {
        name: text
        for name, text in environ.items()
        if not name.startswith(_DROPPED) or name in _UV_ROUTE or _UV_KEPT.fullmatch(name)
    }


def uv_can_cache(environ: Mapping[str, str]) -> bool:
    """Return whether uv can write its cache, where it keeps one on Linux; it fails when not."""
    if environ.get("UV_CACHE_DIR"):
        return True
    given = environ.get("XDG_CACHE_HOME")
    cache = (Path(given) if given else _home(environ) / ".cache") / "uv"
    # Tried, because root may write everywhere and still cannot (/proc, a read-only disk).
    for folder in (cache.parent, cache):
        with contextlib.suppress(OSError):
            folder.mkdir()
    return os.access(cache, os.W_OK | os.X_OK)


def _public(sources: str) -> str:
    return ", ".join(without_credentials(source) for source in sources.split())


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    chosen = environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    site = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    return [
        *(Path(folder) / "pip" / "pip.conf" for folder in site if folder),
        Path("/etc/pip.conf"),
        _home(environ) / ".pip" / "pip.conf",
        _config_home(environ) / "pip" / "pip.conf",
        *([Path(chosen)] if chosen else []),
    ]


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or "/nonexistent")


def _config_home(environ: Mapping[str, str]) -> Path:
    given = environ.get("XDG_CONFIG_HOME")
    return Path(given) if given else _home(environ) / ".config"
