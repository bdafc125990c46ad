"""GitHub's rate limits: the hourly ones, and the secondary one for creating content."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.fake_github.state import Token
from tests.fake_github.web import ApiError, Json

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DOCS = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"


@dataclass
class Bucket:
    """What one token used of one resource in the current window."""

    resource: str
    limit: int
    window: timedelta
    reset: datetime
    used: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def spend(self, token: Token | None) -> None:
        """Count a request. Raises what GitHub answers when the limit is exceeded."""
        if not self.remaining:
            who = "127.0.0.1" if token is None else f"user ID {token.login}"
            if token is not None and token.installation:
                who = f"installation ID {token.token}"
            raise ApiError(403, f"API rate limit exceeded for {who}.", documentation_url=DOCS)
        self.used += 1

    def as_json(self) -> Json:
        reset = int(self.reset.timestamp())
        return {"limit": self.limit, "used": self.used, "remaining": self.remaining, "reset": reset}


@dataclass
class Limits:
    """How much each token may ask. A test may lower the limits before its first request."""

    installation: int = 1000
    """Requests an hour of a workflow's token in one repository."""
    personal: int = 5000
    anonymous: int = 60
    search: int = 30
    """Searches a minute."""
    content: int = 80
    """Requests a minute that create or change something, before the secondary limit strikes."""
    _buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    _writes: dict[str, list[datetime]] = field(default_factory=dict)

    def bucket(self, token: Token | None, resource: str, now: datetime) -> Bucket:
        """The current bucket of a token for `core` or `search`."""
        key = (token.token if token else "", resource)
        if key not in self._buckets or self._buckets[key].reset <= now:
            limit, window = self._limit(token, resource)
            self._buckets[key] = Bucket(
                resource=resource, limit=limit, window=window, reset=now + window
            )
        return self._buckets[key]

    def exhaust(self, token: Token | None, resource: str, now: datetime) -> None:
        """Let nothing remain until the window ends."""
        bucket = self.bucket(token, resource, now)
        bucket.used = bucket.limit

    def spend_write(self, token: Token | None, now: datetime) -> None:
        """Count a request that creates content. Raises the secondary rate limit's answer."""
        writes = self._writes.setdefault(token.token if token else "", [])
        writes[:] = [moment for moment in writes if now - moment < MINUTE]
        if len(writes) >= self.content:
            raise secondary_rate_limit()
        writes.append(now)

    def _limit(self, token: Token | None, resource: str) -> tuple[int, timedelta]:
        if resource == "search":
            return self.search, MINUTE
        if token is None:
            return self.anonymous, HOUR
        return self.installation if token.installation else self.personal, HOUR


def secondary_rate_limit(status: int = 403, retry_after: int = 60) -> ApiError:
    """GitHub's answer to too much content in too little time."""
    return ApiError(
        status,
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        documentation_url=f"{DOCS}#about-secondary-rate-limits",
        headers={"Retry-After": str(retry_after)},
    )


def overview(limits: Limits, token: Token | None, now: datetime) -> Json:
    """The body of GET /rate_limit."""
    core = limits.bucket(token, "core", now).as_json()
    search = limits.bucket(token, "search", now).as_json()
    return {"resources": {"core": core, "search": search}, "rate": core}
