"""Who is asking, and how much more may be asked."""

from __future__ import annotations

from tests.fake_github.access import refused
from tests.fake_github.limits import overview
from tests.fake_github.routing import Call, route
from tests.fake_github.state import format_time
from tests.fake_github.web import ApiError, Json, Response

COUNTS = ("public_repos", "public_gists", "followers", "following")


def profile(call: Call, login: str) -> Json:
    joined = format_time(call.world.repo.created_at)
    words = ("name", "company", "blog", "location", "email", "hireable", "bio")
    return {
        **call.view.user(login),
        **dict.fromkeys(words),
        **dict.fromkeys(COUNTS, 0),
        "created_at": joined,
        "updated_at": joined,
    }


@route("GET", "/user")
def get_authenticated_user(call: Call) -> Response:
    if call.token is None:
        raise ApiError(401, "Requires authentication")
    if call.token.installation:
        raise refused(call.token, [])
    return Response(body=profile(call, call.login))


@route("GET", "/users/{username}")
def get_user(call: Call) -> Response:
    return Response(body=profile(call, call.request.params["username"]))


@route("GET", "/rate_limit")
def get_rate_limit(call: Call) -> Response:
    return Response(body=overview(call.world.limits, call.token, call.world.clock.now()))
