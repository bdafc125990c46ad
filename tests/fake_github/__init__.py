"""A strict, stateful GitHub on this machine, for tests.

In a test, with the fixture `github` of tests/conftest.py: say what happened, let the program
talk to `github.url` with the token `github.token`, then look at the records.

    def test_one_comment(github):
        github.open_pull(7, fork="mallory/demo")
        run = github.add_run(101, pull=7)
        github.add_artifact(run, "evidence", zip_path)
        github.fail("POST", r"/comments$", nth=2, status=502)
        ...
        assert [comment.body for comment in github.repo.comments_on(7)] == [...]

- `seeding/` has everything that can be said; `state.py` what can be looked at; `faults.py` what
  can go wrong; `world.py` the tokens WRITE_TOKEN, READ_TOKEN, PERSONAL_TOKEN (add_token makes
  others, with the permissions a workflow asks for), `clock`, `limits` and `server_url`.
- `violations` holds every request that breaks GitHub's OpenAPI description, and every answer;
  the fixture fails the test for them. A test that means to, calls `take_violations()`.
- From another process: `python -m tests.fake_github --help`, and `control.py`.

A new route is a function in `routes/` and what it shows in `view/`; the description checks it.
"""

from tests.fake_github.github import FakeGitHub
from tests.fake_github.world import PERSONAL_TOKEN, READ_TOKEN, WRITE_TOKEN

__all__ = ["PERSONAL_TOKEN", "READ_TOKEN", "WRITE_TOKEN", "FakeGitHub"]
