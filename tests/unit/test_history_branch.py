"""The branch store beside a user's repository, against remotes that fail, with tokens."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from telltale.errors import HistoryError, PushRaceError, UsageError
from telltale.history import layout, open_history
from telltale.history.archive import Archive
from telltale.history.branch import BranchStore
from telltale.history.git import Git
from telltale.history.interface import FileContent
from telltale.history.remote import Remote
from telltale.records import Series
from tests.e2e.git_server import git_server
from tests.unit.history_records import UNIT, main_run

TOKEN = "ghs_s3cr3tS3CR3Ts3cr3t"  # noqa: S105
BASIC = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository with one commit on main."""
    folder = tmp_path / "srv" / "octo" / "widgets.git"
    folder.mkdir(parents=True)
    git(folder, "init", "--bare", "--quiet", "--initial-branch=main")
    git(folder, "config", "http.receivepack", "true")
    commit = (
        "commit refs/heads/main\ncommitter a <a@b> 1 +0000\ndata 1\nx\nM 644 inline a\ndata 1\nx\n"
    )
    git(folder, "fast-import", "--quiet", stdin=commit)
    return folder


@pytest.fixture
def checkout(remote: Path, tmp_path: Path) -> Path:
    """A clone with a staged, an unstaged and an untracked change."""
    folder = tmp_path / "checkout with spaces"
    git(tmp_path, "clone", "--quiet", str(remote), str(folder))
    (folder / "staged").write_text("s", encoding="ascii")
    git(folder, "add", "staged")
    (folder / "a").write_text("changed", encoding="ascii")
    (folder / "untracked").write_text("u", encoding="ascii")
    return folder


def git(where: Path, *arguments: str, stdin: str = "") -> str:
    return subprocess.run(
        ["git", "-C", where, *arguments], input=stdin, text=True, check=True, capture_output=True
    ).stdout


def snapshot(folder: Path) -> dict[str, str]:
    """Return a digest of every file, those of .git too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_checkout_is_not_touched(checkout: Path) -> None:
    before = snapshot(checkout)
    history = open_history("branch:telltale-history", cwd=checkout, environ=os.environ)
    history.add([main_run(1)])
    history.put_folder("scaffolds/x", {"a": FileContent(data=b"")})

    assert history.load(UNIT) == (main_run(1),)
    assert snapshot(checkout) == before


def test_the_branch_is_an_orphan_that_explains_itself(checkout: Path, remote: Path) -> None:
    for number in (1, 2):
        history = open_history("branch:telltale-history", cwd=checkout, environ=os.environ)
        history.add([main_run(number)])

    commits = git(remote, "log", "--format=%an <%ae>|%P", "telltale-history").split("\n")
    assert [line.partition("|")[0] for line in commits if line] == [
        "telltale <telltale@noreply.invalid>"
    ] * 2
    assert commits[1].endswith("|")
    assert "Telltale keeps this branch" in git(remote, "show", "telltale-history:README.md")
    assert git(remote, "for-each-ref", "--format=%(refname)").split() == [
        "refs/heads/main",
        "refs/heads/telltale-history",
    ]


def test_variables_of_another_repository_are_not_obeyed(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(tmp_path, "init", "--quiet", str(other))
    before = snapshot(other)
    environ = {
        **os.environ,
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git/index"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git/objects"),
        "GIT_NAMESPACE": "elsewhere",
        "GIT_CEILING_DIRECTORIES": "/",
        "GIT_CONFIG_PARAMETERS": "'remote.history.url=/nowhere'",
    }
    open_history("branch:h", cwd=checkout, environ=environ).add([main_run(1)])

    assert open_history("branch:h", cwd=checkout, environ=os.environ).load(UNIT) == (main_run(1),)
    assert snapshot(other) == before


def test_settings_given_by_variables_are_kept(checkout: Path, remote: Path) -> None:
    environ = {
        **os.environ,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{remote}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://nowhere.invalid/octo/widgets",
    }
    uri = "branch:h@https://nowhere.invalid/octo/widgets"
    open_history(uri, cwd=checkout, environ=environ).add([main_run(1)])

    assert git(remote, "rev-parse", "--verify", "h")


def test_a_hook_of_the_user_does_not_run(checkout: Path, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    # The remote's half runs on this machine too, and may have its hooks.
    script = (
        f'#!/bin/sh\ncase "$PWD" in */widgets.git) exit 0 ;; esac\ntouch {tmp_path}/ran\nexit 1\n'
    )
    for name in ("pre-push", "reference-transaction"):
        (hooks / name).write_text(script, encoding="ascii")
        (hooks / name).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\nhooksPath = {hooks}\n", encoding="ascii")
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": str(config)}

    assert open_history("branch:h", cwd=checkout, environ=environ).add([main_run(1)])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("uri", "where"),
    [
        ("branch:h", "{remote}"),
        ("branch:h@origin", "{remote}"),
        ("branch:h@second", "{remote}"),
        ("branch:h@.", "{checkout}"),
        ("branch:h@../srv/octo/widgets.git", "{remote}"),
        ("branch:h@{remote}", "{remote}"),
        ("branch:h@file://{remote}", "file://{remote}"),
        ("branch:a/b.c@git@github.com:octo/widgets.git", "git@github.com:octo/widgets.git"),
    ],
)
def test_where_a_branch_may_be(checkout: Path, remote: Path, uri: str, where: str) -> None:
    git(checkout, "remote", "add", "second", "../srv/octo/widgets.git")
    history = open_history(uri.format(remote=remote), cwd=checkout, environ=os.environ)

    name = uri.removeprefix("branch:").partition("@")[0]
    assert history.where == f"branch {name} of {where.format(remote=remote, checkout=checkout)}"


def test_outside_a_repository_the_given_address_is_used(tmp_path: Path, remote: Path) -> None:
    history = open_history(
        "branch:h", cwd=tmp_path, remote_url=f"file://{remote}", environ=os.environ
    )

    assert history.add([main_run(1)])
    assert git(remote, "rev-parse", "--verify", "h")


def test_without_any_repository_it_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"there is no git repository here.*branch:NAME@REMOTE"):
        open_history("branch:h", cwd=tmp_path, environ=os.environ)


def test_a_repository_without_origin_says_what_to_type(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(HistoryError, match="there is no remote called origin here"):
        open_history("branch:h", cwd=tmp_path, environ=os.environ)


@pytest.mark.parametrize("uri", ["branch:", "branch:-x", "branch:a b", "branch:a..b", "branch:@x"])
def test_a_name_that_no_branch_may_have_is_refused(checkout: Path, uri: str) -> None:
    with pytest.raises(UsageError, match="not the name of a branch"):
        open_history(uri, cwd=checkout, environ=os.environ)


def test_an_option_is_not_taken_for_a_remote(checkout: Path) -> None:
    with pytest.raises(UsageError, match="is not a remote"):
        open_history("branch:h@--upload-pack=touch x", cwd=checkout, environ=os.environ)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        pytest.param("branch:h@file:///nowhere.git", "there is no such repository", id="missing"),
        pytest.param("branch:h@..", "there is no such repository", id="a-folder"),
        pytest.param("branch:h@http://127.0.0.1:9/o/r.git", "cannot be reached", id="refused"),
        pytest.param("branch:h@http://nowhere.invalid/o/r.git", "cannot be reached", id="no-host"),
    ],
)
def test_a_remote_that_fails_is_not_an_empty_history(checkout: Path, uri: str, reason: str) -> None:
    history = open_history(uri, cwd=checkout, environ=os.environ)
    for action in (history.series, lambda: history.load(UNIT), lambda: history.add([main_run(1)])):
        with pytest.raises(HistoryError, match=reason) as caught:
            action()
        assert not isinstance(caught.value, PushRaceError)


@pytest.fixture
def server(remote: Path) -> Iterator[str]:
    """Serve the repository over HTTP: the token may write, `reader` may read, others may not."""
    access = {TOKEN: "write", "reader": "read"}
    with git_server(remote.parents[1], lambda token: access.get(token, "none")) as url:
        yield f"{url}/octo/widgets.git"


def test_a_token_opens_an_http_remote(server: str, tmp_path: Path) -> None:
    history = open_history(
        "branch:h", cwd=tmp_path, remote_url=server, token=TOKEN, environ=os.environ
    )
    history.add([main_run(1)])

    assert history.load(UNIT) == (main_run(1),)
    page = history.put_folder("scaffolds/x", {"a": FileContent(data=b"")})
    assert page == f"{server.removesuffix('.git')}/tree/h/scaffolds/x"


def test_a_token_takes_the_place_of_what_the_checkout_would_send(
    server: str, checkout: Path
) -> None:
    # Two Authorization headers would be refused.
    git(checkout, "remote", "set-url", "origin", server)
    host = server.removesuffix("octo/widgets.git")
    wrong = base64.b64encode(b"x-access-token:wrong").decode()
    git(checkout, "config", f"http.{host}.extraheader", f"AUTHORIZATION: basic {wrong}")
    history = open_history("branch:h", cwd=checkout, token=TOKEN, environ=os.environ)

    assert history.add([main_run(1)])


def test_without_a_token_the_checkouts_own_credentials_are_used(
    server: str, checkout: Path, tmp_path: Path
) -> None:
    # As actions/checkout leaves them: in a file that the settings include.
    git(checkout, "remote", "set-url", "origin", server)
    host = server.removesuffix("octo/widgets.git")
    included = tmp_path / "credentials.config"
    git(
        checkout,
        "config",
        "--file",
        str(included),
        f"http.{host}.extraheader",
        f"AUTHORIZATION: basic {BASIC}",
    )
    git(checkout, "config", f"includeIf.gitdir:{checkout}/.git.path", str(included))

    assert open_history("branch:h", cwd=checkout, environ=os.environ).add([main_run(1)])


@pytest.mark.parametrize("token", ["", "wrong", "reader"])
def test_a_token_that_may_not_write_is_said_to_be_denied(
    server: str, tmp_path: Path, token: str
) -> None:
    history = open_history(
        "branch:h", cwd=tmp_path, remote_url=server, token=token, environ=os.environ
    )
    with pytest.raises(HistoryError, match="permissions: contents: write"):
        history.add([main_run(1)])


def test_a_protected_branch_is_said_to_be_denied(remote: Path, tmp_path: Path) -> None:
    hook = remote / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\necho 'GH006: Protected branch update failed' >&2\nexit 1\n", encoding="ascii"
    )
    hook.chmod(0o755)
    history = open_history(f"branch:h@{remote}", cwd=tmp_path, environ=os.environ)

    with pytest.raises(HistoryError, match=r"access is denied.*GH006"):
        history.add([main_run(1)])


@pytest.fixture
def watched(tmp_path: Path) -> Mapping[str, str]:
    """An environment whose git notes its arguments in `argv.log` before it does its work."""
    folder = tmp_path / "bin"
    folder.mkdir()
    wrapper = folder / "git"
    real = shutil.which("git")
    wrapper.write_text(
        f'#!/bin/sh\nprintf "%s " "$@" >> "{tmp_path}/argv.log"\n'
        f'[ -x "{tmp_path}/before" ] && "{tmp_path}/before" "$@"\nexec {real} "$@"\n',
        encoding="ascii",
    )
    wrapper.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}


def test_a_token_is_in_no_argument_no_file_and_no_message(
    server: str, tmp_path: Path, watched: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    history = open_history(
        "branch:h", cwd=tmp_path, remote_url=server, token=TOKEN, environ=watched
    )
    history.add([main_run(1)])
    denied = open_history(
        "branch:h",
        cwd=tmp_path,
        remote_url=server,
        token="wrong",
        environ=watched,
    )
    with pytest.raises(HistoryError) as caught:
        denied.add([main_run(2)])

    assert (tmp_path / "argv.log").stat().st_size > 0
    everything = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(everything) > 10  # the private repository is among them
    for secret in (TOKEN, BASIC):
        assert not [data for data in everything if secret.encode() in data]
        assert secret not in f"{caught.value!r} {history.where} {history!r}"


def test_a_password_in_an_address_is_not_shown(checkout: Path) -> None:
    git(checkout, "remote", "set-url", "origin", "http://me:hunter2@127.0.0.1:9/o/r.git")
    history = open_history("branch:h", cwd=checkout, environ=os.environ)

    assert history.where == "branch h of http://127.0.0.1:9/o/r.git"
    with pytest.raises(HistoryError) as caught:
        history.series()
    assert "hunter2" not in str(caught.value)


def _rival(tmp_path: Path, remote: Path, *, once: bool) -> None:
    """Make another writer's commit land just before each push of ours, or the first only."""
    before = tmp_path / "before"
    stop = f"[ -e '{tmp_path}/pushed' ] && exit 0\n" if once else ""
    real = shutil.which("git")
    before.write_text(
        '#!/bin/sh\ncase "$*" in *--porcelain*) ;; *) exit 0 ;; esac\n'
        f"{stop}touch '{tmp_path}/pushed'\n"
        f"cd '{remote}' || exit 1\n"
        f"tip=$({real} rev-parse --verify --quiet h)\n"
        "{ echo 'commit refs/heads/h'; echo 'committer rival <r@r> 1 +0000'; printf 'data 1\\nx\\n'\n"
        '[ -z "$tip" ] || echo "from $tip"\n'
        f"printf 'M 644 inline rival-%s\\ndata 1\\nx\\n' $$; }} | {real} fast-import --quiet\n",
        encoding="ascii",
    )
    before.chmod(0o755)


@pytest.mark.parametrize("first", [True, False], ids=["new-branch", "old-branch"])
def test_a_lost_race_is_run_again(
    remote: Path, tmp_path: Path, watched: Mapping[str, str], first: bool
) -> None:
    uri = f"branch:h@{remote}"
    if not first:
        open_history(uri, cwd=tmp_path, environ=os.environ).add([main_run(0)])
    _rival(tmp_path, remote, once=True)
    history = open_history(uri, cwd=tmp_path, environ=watched)

    assert history.add([main_run(1)]) == (layout.path_of(main_run(1)),)
    names = git(remote, "ls-tree", "-r", "--name-only", "h").split()
    assert sum(name.startswith("rival") for name in names) == 1
    assert sum(name.endswith(".json.gz") for name in names) == (1 if first else 2)


def test_a_writer_that_keeps_losing_says_so_and_has_written_nothing(
    remote: Path, tmp_path: Path, watched: Mapping[str, str]
) -> None:
    _rival(tmp_path, remote, once=False)
    store = BranchStore("h", Remote(url=str(remote)), environ=watched, patience_s=0.0)

    with pytest.raises(PushRaceError, match=r"Nothing was written, and adding again is safe"):
        Archive(store).add([main_run(1)])
    names = git(remote, "ls-tree", "-r", "--name-only", "h").split()
    assert not [name for name in names if name.endswith(".json.gz")]


def test_storing_the_same_folder_again_makes_no_commit(remote: Path, tmp_path: Path) -> None:
    files = {"run_test.sh": FileContent(data=b"#!/bin/sh\n", executable=True)}
    for _ in range(2):
        open_history(f"branch:h@{remote}", cwd=tmp_path, environ=os.environ).put_folder(
            "scaffolds/x", files
        )

    assert git(remote, "rev-list", "--count", "h").strip() == "1"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which private repositories are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_only_the_chosen_contents_are_fetched(remote: Path, tmp_path: Path, scratch: Path) -> None:
    git(remote, "config", "uploadpack.allowFilter", "true")
    uri = f"branch:h@file://{remote}"
    lint = Series(kind=UNIT.kind, job="lint", name="tests")
    records = [main_run(i, series=series) for i in range(6) for series in (UNIT, lint)]
    open_history(uri, cwd=tmp_path, environ=os.environ).add(records)
    history = open_history(uri, cwd=tmp_path, environ=os.environ)

    assert len(history.load(UNIT, limit=2)) == 2
    (private,) = scratch.iterdir()
    kinds = git(private, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert kinds.count("blob") == 2


def test_the_private_repository_goes_with_the_store(
    remote: Path, tmp_path: Path, scratch: Path
) -> None:
    history = open_history(f"branch:h@{remote}", cwd=tmp_path, environ=os.environ)
    history.add([main_run(1)])
    assert list(scratch.iterdir())

    del history

    assert not list(scratch.iterdir())


def test_without_git_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="git was not found: install it") as caught:
        open_history("branch:h", cwd=tmp_path, environ={"PATH": str(tmp_path)})
    assert type(caught.value).__name__ == "SetupError"


def test_a_remote_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/o/r.git"
        slow = Git(environ=os.environ, cwd=tmp_path, timeout_s=0.5)
        with pytest.raises(HistoryError, match=r"git ls-remote did not end within 0\.5 s"):
            slow.run("ls-remote", address)

        # Its helper is gone as well: whoever is connected now hangs up.
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(10)
            while connection.recv(4096):
                pass
