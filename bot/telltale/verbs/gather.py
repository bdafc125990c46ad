"""
Find the evidence of a run: bundles on disk, or the artifacts of a workflow run.

Whatever comes from an artifact was written by a stranger. A bundle that
cannot be read is a problem to report and never the end of the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from telltale import bundle, unpack
from telltale.errors import BundleError, ForgeError, UsageError
from telltale.forge import Artifact, Forge
from telltale.history.record import make_record
from telltale.model import Evidence
from telltale.records import Origin, Record, Series
from telltale.verbs import second_net
from telltale.verbs.origin import contradictions

MAX_ARTIFACTS = 256
"""As many jobs as a matrix may have."""
MAX_ZIP_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A readable bundle of the run under report."""

    folder: Path
    evidence: Evidence
    record: Record
    artifact: str = ""
    artifact_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All that was found, and what was not."""

    bundles: tuple[Found, ...]
    problems: tuple[str, ...]


def from_disk(paths: Sequence[Path], origin: Origin) -> Gathered:
    """Read the bundles in `paths`; `UsageError` when there is none at all."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist: name a bundle, or a folder that holds some")
    folders = bundle.find(paths)
    if not folders:
        names = ", ".join(str(path) for path in paths)
        raise UsageError(f"no evidence bundle in {names}: expected a folder with evidence.json")
    return _read(tuple((folder, folder.name, "") for folder in folders), origin)


def from_artifacts(forge: Forge, origin: Origin, *, server_url: str, scratch: Path) -> Gathered:
    """
    Download and read the evidence of the run that `origin` names.

    Raises `ForgeError` when the artifacts cannot be listed; one that cannot
    be fetched, unpacked or read is a problem.
    """
    if origin.run_id is None:
        raise UsageError("no workflow run to report on: name the bundles, as in report out/")
    listed = [one for one in forge.artifacts(origin.run_id) if _ours(one)]
    problems: list[str] = []
    if len(listed) > MAX_ARTIFACTS:
        problems.append(f"{len(listed) - MAX_ARTIFACTS} artifacts beyond {MAX_ARTIFACTS} were left")
    places: list[tuple[Path, str, str]] = []
    for artifact in listed[:MAX_ARTIFACTS]:
        url = (
            f"{server_url}/{origin.repository}/actions/runs/{origin.run_id}/artifacts/{artifact.id}"
        )
        try:
            folder = _fetch(forge, artifact, scratch)
        except (ForgeError, BundleError) as error:
            problems.append(f"artifact {artifact.name!r}: {error}")
            continue
        places += [(found, artifact.name, url) for found in bundle.find([folder])]
    read = _read(tuple(places), origin)
    return Gathered(bundles=read.bundles, problems=(*problems, *read.problems))


def _ours(artifact: Artifact) -> bool:
    return artifact.name.startswith(bundle.ARTIFACT_PREFIX) and not artifact.expired


def _fetch(forge: Forge, artifact: Artifact, scratch: Path) -> Path:
    zip_path = scratch / f"{artifact.id}.zip"
    forge.download_artifact(artifact, zip_path, limit_bytes=MAX_ZIP_BYTES)
    folder = scratch / str(artifact.id)
    unpack.extract(zip_path, folder)
    zip_path.unlink()
    return folder


def _read(places: Sequence[tuple[Path, str, str]], origin: Origin) -> Gathered:
    bundles: list[Found] = []
    problems: list[str] = []
    for folder, name, url in places:
        try:
            evidence = bundle.read_manifest(folder)
            record = second_net.clean(make_record(folder, _origin(origin, evidence)))
        except BundleError as error:
            problems.append(f"bundle {name!r}: {error}")
            continue
        problems += [f"bundle {name!r}: {text}" for text in contradictions(evidence, origin)]
        bundles.append(
            Found(folder=folder, evidence=evidence, record=record, artifact=name, artifact_url=url)
        )
    bundles.sort(key=lambda found: (found.record.series, found.record.started_at))
    problems += _mixed(bundles)
    return Gathered(bundles=tuple(bundles), problems=tuple(problems))


def _mixed(bundles: Sequence[Found]) -> Iterator[str]:
    """Yield the series that two jobs of one run attempt share: their figures are no baseline for each other."""
    seen: dict[tuple[Series, int], int] = Counter(
        (found.record.series, found.record.origin.run_attempt)
        for found in bundles
        if found.record.origin.run_id is not None
    )
    for (series, _), count in seen.items():
        if count > 1:
            yield (
                f"{count} runs of this attempt are called {series.title}: give each a `name` of its"
                " own, or tests.yml the input `matrix`, or they are compared with each other"
            )


def _origin(origin: Origin, evidence: Evidence) -> Origin:
    """Return the run's origin with what the bundle alone can know, where that does no harm."""
    if origin.local:
        # At a terminal nobody but the bundle knows the commit, nor has a reason to forge it.
        source = evidence.source
        branch = source.ref.removeprefix("refs/heads/")[:200]
        return replace(origin, sha=origin.sha or source.sha[:64], branch=branch)
    # A run's artifacts are those of all its attempts. Which one wrote a bundle is the
    # bundle's own claim; it can do no more harm than name an earlier attempt.
    claimed = evidence.github.run_attempt if evidence.github else origin.run_attempt
    return replace(origin, run_attempt=max(1, min(claimed, origin.run_attempt)))
