from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telltale.errors import UsageError
from telltale.flaky import naming
from telltale.flaky.signature import name_failure
from telltale.model import FailureKind
from telltale.verbs import signatures

LONG = """\
____________________ test_load[{param}] ____________________
[gw{worker}] linux -- Python 3.11.7 {root}/venv/bin/python

tmp_path = PosixPath('/tmp/pytest-of-ci/pytest-{run}/test_load0')

    def test_load(tmp_path):
>       assert store.load(tmp_path / "index-{run}.json")

tests/test_store.py:{line}:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

path = PosixPath('/tmp/pytest-of-ci/pytest-{run}/test_load0/index-{run}.json')

    def load(path):
>       with open(path) as file:
E       FileNotFoundError: [Errno 2] No such file or directory: '/tmp/pytest-of-ci/pytest-{run}/test_load0/index-{run}.json'

src/app/store.py:{line}: FileNotFoundError
"""
SHORT = """\
____________________ test_load[{param}] ____________________
tests/test_store.py:{line}: in test_load
    assert store.load(tmp_path / "index-{run}.json")
src/app/store.py:{line}: in load
    with open(path) as file:
E   FileNotFoundError: [Errno 2] No such file or directory: '/tmp/pytest-of-ci/pytest-{run}/test_load0/index-{run}.json'
"""
NATIVE = """\
2026-11-22T07:05:15.5758156Z Traceback (most recent call last):
2026-11-22T07:05:15.5758156Z   File "{root}/tests/test_store.py", line {line}, in test_load
2026-11-22T07:05:15.5758156Z     assert store.load(tmp_path / "index-{run}.json")
2026-11-22T07:05:15.5758156Z   File "{root}/src/app/store.py", line {line}, in load
2026-11-22T07:05:15.5758156Z     with open(path) as file:
2026-11-22T07:05:15.5758156Z FileNotFoundError: [Errno 2] No such file or directory: '/tmp/pytest-of-ci/pytest-{run}/test_load0/index-{run}.json'
"""


def filled(style: str, *, run: int, line: int = 12, root: str = "/home/runner/work/app") -> str:
    return style.format(run=run, line=line, root=root, param=run, worker=run % 4)


@pytest.mark.parametrize("style", [LONG, SHORT, NATIVE], ids=["long", "short", "native"])
@pytest.mark.parametrize("run", [7, 12345])
def test_one_cause_has_one_name_in_every_style_and_run(style: str, run: int) -> None:
    first = name_failure(test="tests/test_store.py::test_load[7]", text=filled(LONG, run=7777))
    again = name_failure(
        test=f"tests/test_storage.py::test_load[{run}]",
        text=filled(style, run=run + 1000, line=run % 90, root="/__w/app"),
    )

    assert again == first
    assert first.template == (
        "FileNotFoundError: [Errno 2] No such file or directory: 'index-<n1>.json'"
        " in load at with open(path) as file:"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            "E   OSError: [Errno 28] No space left on device",
            "E   OSError: [Errno 98] Address already in use",
            id="errno",
        ),
        pytest.param(
            "E   ApiError: request failed with status 503",
            "E   ApiError: request failed with status 404",
            id="http-status",
        ),
        pytest.param("Process completed with exit code 139.", "exit code 134", id="signal"),
        pytest.param(
            "a.py:1: in load\n    open(path)\nE   ValueError: bad value 5",
            "a.py:1: in save\n    open(path)\nE   ValueError: bad value 5",
            id="function",
        ),
        pytest.param(
            "a.py:1: in load\n    read(a)\nE   ValueError: bad value 5",
            "a.py:1: in load\n    read(b)\nE   ValueError: bad value 5",
            id="source-line",
        ),
        pytest.param(
            "E   RuntimeError: cuda:12345 and cuda:12345 differ",
            "E   RuntimeError: cuda:12345 and cuda:99999 differ",
            id="equal-values-stay-equal",
        ),
    ],
)
def test_what_only_looks_alike_has_another_name(one: str, other: str) -> None:
    test = "tests/test_a.py::test_b"

    assert name_failure(test=test, text=one) != name_failure(test=test, text=other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            "E   Failed: DID NOT RAISE <class 'ValueError'>",
            "E   Failed: DID NOT RAISE ValueError",
            id="pytest-8-and-9",
        ),
        pytest.param(
            ">   def half(n): return n / 0\nE   ZeroDivisionError: division by zero\n\na.py:3: ZeroDivisionError",
            "a.py:3: in half\n    def half(n): return n / 0\nE   ZeroDivisionError: division by zero",
            id="a-function-of-one-line",
        ),
        pytest.param(
            "a.py:3: in test_x\n    assert a == b\nE   AssertionError: assert [1, 2] == [1]\nE     Left contains one more item: 2",
            "a.py:9: in test_y\n    assert a == b\nE   assert [7, 8, 9, 10, ...] == [4]\nE     At index 0 diff: 7 != 4",
            id="what-explains-an-assertion",
        ),
        pytest.param(
            "E   torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.70 GiB",
            "E   RuntimeError: CUDA out of memory. Tried to allocate 2.87 GiB (GPU 0; 14.76 GiB)",
            id="memory-in-two-releases",
        ),
        pytest.param(
            "E   OSError: cannot read '/home/ann/my work/a.bin'",
            "E   OSError: cannot read '~/b/a.bin'",
            id="folders-with-spaces-and-homes",
        ),
    ],
)
def test_wording_of_a_release_is_not_in_the_name(one: str, other: str) -> None:
    assert name_failure(test="t", text=one) == name_failure(test="t", text=other)


CHAIN = """\
Traceback (most recent call last):
  File "/w/src/app/cache.py", line 4, in get
    return self.data[key]
KeyError: 'model'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/w/tests/test_a.py", line 9, in test_b
    cache.get("model")
RuntimeError: cannot load after 17 tries
"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/w/tests/test_a.py", line 9, in test_b
  |     asyncio.run(main())
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/w/src/app/net.py", line 4, in fetch
    |     raise ConnectionResetError(104, "Connection reset by peer")
    | ConnectionResetError: [Errno 104] Connection reset by peer
    +------------------------------------
"""
HANG = """\
+++++++++++++++++++++++++ Timeout +++++++++++++++++++++++++
~~~~~~~~~~~ Stack of Thread-1 (140069432753024) ~~~~~~~~~~~
  File "/w/src/app/pool.py", line 8, in work
    self.jobs.get()
~~~~~~~~~~~ Stack of MainThread (140069432753025) ~~~~~~~~~
  File "/usr/lib/python3.11/site-packages/pluggy/_caller.py", line 197, in __call__
    return self._hookexec()
  File "/w/tests/test_a.py", line 9, in test_b
    pool.drain()
  File "/w/src/app/pool.py", line 31, in drain
    self.done.wait()
  File "/usr/lib/python3.11/threading.py", line 327, in wait
    waiter.acquire()
+++++++++++++++++++++++++ Timeout +++++++++++++++++++++++++
"""
HANG_BY_SIGNAL = """\
    def test_b():
>       pool.drain()

tests/test_a.py:9:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
src/app/pool.py:31: in drain
    self.done.wait()
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
    def wait(self, timeout=None):
>               waiter.acquire()
E               Failed: Timeout (>5.0s) from pytest-timeout.

/usr/lib/python3.11/threading.py:327: Failed
"""
HANG_BY_FAULTHANDLER = """\
Timeout (0:00:30)!
Thread 0x00007f0a177ff6c0 (most recent call first):
  File "/usr/lib/python3.11/site-packages/execnet/gateway_base.py", line 534 in read

Current thread 0x00007f0a18c63b80 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 327 in wait
    waiter.acquire()
  File "/w/src/app/pool.py", line 31 in drain
    self.done.wait()
  File "/w/tests/test_a.py", line 9 in test_b
    pool.drain()
"""
CRASH = """\
Fatal Python error: Segmentation fault

Current thread 0x00007f05fc7c7b80 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/w/src/app/native.py", line 30 in read_header
  File "/w/tests/test_a.py", line 21 in test_b
"""
FIXTURE = """\
    @pytest.fixture
    def server():
>       raise ConnectionRefusedError(111, "Connection refused")
E       ConnectionRefusedError: [Errno 111] Connection refused

tests/conftest.py:5: ConnectionRefusedError
"""
SYNTAX = """\
__________ ERROR collecting tests/test_a.py __________
E     File "/w/tests/test_a.py", line 8
E       x = [1, 2
E           ^
E   SyntaxError: '[' was never closed
"""
GTEST = """\
core/ring_test.cpp:42: Failure
Expected equality of these values:
  ring.size()
    Which is: 3
  4
"""


@pytest.mark.parametrize(
    ("text", "kind", "template"),
    [
        pytest.param(
            CHAIN,
            FailureKind.EXCEPTION,
            "KeyError: 'model' in get at return self.data[key]",
            id="the-root-of-the-chain",
        ),
        pytest.param(
            GROUP,
            FailureKind.INFRA_NETWORK,
            "ConnectionResetError: [Errno 104] Connection reset by peer in fetch"
            ' at raise ConnectionResetError(104, "Connection reset by peer")',
            id="the-member-of-a-group",
        ),
        pytest.param(
            HANG,
            FailureKind.TEST_TIMEOUT,
            "Timeout in drain at self.done.wait()",
            id="the-stuck-frame-of-the-main-thread",
        ),
        pytest.param(
            HANG_BY_SIGNAL,
            FailureKind.TEST_TIMEOUT,
            "Timeout in drain at self.done.wait()",
            id="the-stuck-frame-by-signal",
        ),
        pytest.param(
            HANG_BY_FAULTHANDLER,
            FailureKind.TEST_TIMEOUT,
            "Timeout in drain at self.done.wait()",
            id="the-stuck-frame-by-faulthandler",
        ),
        pytest.param(
            CRASH, FailureKind.CRASH_SIGNAL, "SIGSEGV in read_header", id="the-frame-of-a-crash"
        ),
        pytest.param(
            FIXTURE,
            FailureKind.INFRA_NETWORK,
            "ConnectionRefusedError: [Errno 111] Connection refused in server"
            ' at raise ConnectionRefusedError(111, "Connection refused")',
            id="a-fixture-fails-by-itself",
        ),
        pytest.param(
            SYNTAX,
            FailureKind.COLLECTION_ERROR,
            "SyntaxError: '[' was never closed",
            id="a-file-that-cannot-be-collected",
        ),
        pytest.param(
            "/w/tests/test_a.py:5: AssertionError: assert 3 == 4",
            FailureKind.ASSERTION,
            "AssertionError: assert <n> == <n> in test_b",
            id="tb-line-names-the-test",
        ),
        pytest.param(
            GTEST,
            FailureKind.ASSERTION,
            "Expected equality of these values: ring.size() Which is: <n>",
            id="a-cpp-runner",
        ),
        pytest.param(
            "worker 'gw3' crashed while running 'tests/test_a.py::test_b'",
            FailureKind.CRASH_SIGNAL,
            "crash in test_b",
            id="a-worker-that-died",
        ),
        pytest.param(
            "RuntimeError: CUDA out of memory. Tried to allocate 2.87 GiB (GPU 0; 14.76 GiB total)",
            FailureKind.OOM,
            "out of memory: CUDA",
            id="memory-of-a-gpu",
        ),
        pytest.param(
            "2026-11-22 10:00:00,123 - train - ERROR - loss is nan at step 4213",
            FailureKind.NAN_OR_DIVERGENCE,
            "loss is nan at step <n1>",
            id="a-training-log",
        ),
        pytest.param(
            "!!!!! KeyboardInterrupt !!!!!\n/usr/lib/python3.11/threading.py:327: KeyboardInterrupt",
            FailureKind.HANG_OR_DEVICE_TIMEOUT,
            "interrupted in test_b",
            id="interrupted-at-a-limit",
        ),
        pytest.param(
            "/w/conftest.py:3: DeprecationWarning: old\n/usr/lib/python3.11/queue.py:9: ValueError: x",
            FailureKind.EXCEPTION,
            "ValueError: x in test_b",
            id="a-warning-in-passing",
        ),
        pytest.param("", FailureKind.UNKNOWN, "in test_b", id="nothing-at-all"),
    ],
)
def test_kind_and_template(text: str, kind: FailureKind, template: str) -> None:
    named = name_failure(test="tests/test_a.py::test_b[1]", text=text)

    assert (named.kind, named.template) == (kind, template)


REAL = """\
import pytest


def helper(values):
    if len(values) > 2:
        raise LookupError(f"no room for {{id(values)}} in {{len(values)}} slots")


def test_one(tmp_path):
    helper([1, 2, 3])


class TestGroup:
    @pytest.mark.parametrize("size", [5, 9])
    def test_other(self, size):
        helper(list(range(size)))
"""


@pytest.mark.parametrize("style", ["long", "auto", "short", "native"])
def test_real_tracebacks_of_pytest(style: str, tmp_path: Path) -> None:
    (tmp_path / "test_real.py").write_text(
        "# moved\n" * len(style) + REAL.replace("{{", "{").replace("}}", "}")
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    junit = tmp_path / "junit.xml"
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"--tb={style}", f"--junitxml={junit}", str(tmp_path)),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    texts = re.findall(r"<failure[^>]*>(.*?)</failure>", junit.read_text(), re.DOTALL)

    names = {
        name_failure(
            test="", text=text.replace("&gt;", ">").replace("&lt;", "<").replace("&quot;", '"')
        )
        for text in texts
    }

    assert len(texts) == 3
    assert {named.template for named in names} == {
        (
            "LookupError: no room for <n1> in <n> slots in helper"
            ' at raise LookupError(f"no room for {id(values)} in {len(values)} slots")'
        )
    }


TEXTS = st.text(max_size=400) | st.sampled_from([LONG, NATIVE, CHAIN, GROUP, HANG, CRASH, SYNTAX])


@given(st.text(max_size=40), st.lists(TEXTS, max_size=4).map("\n".join))
def test_any_text_has_a_name(test: str, text: str) -> None:
    named = name_failure(test=test, text=text)

    assert re.fullmatch(r"v1:[0-9a-f]{16}", named.signature)
    assert named == name_failure(test=test, text=text)


@given(st.integers(1000, 10**9), st.integers(1000, 10**9), st.floats(1, 1e6), st.uuids())
def test_values_that_change_from_run_to_run_are_not_in_the_name(
    port: int, pid: int, seconds: float, job: object
) -> None:
    def text(one: object, two: object, three: object, four: object) -> str:
        return (
            "a.py:1: in serve\n    run()\n"
            f"E   RuntimeError: job {four} on port {one} (pid {two}) gave up after {three:.3f} s"
        )

    first = name_failure(
        test="t", text=text(40001, 17, 2.5, "9f1c0c9e-3d0f-4b5e-8a51-0a1b2c3d4e5f")
    )

    assert name_failure(test="t", text=text(port, pid, seconds, job)) == first


@given(st.text(alphabet="ab1 :/.<>-'\"[]()", max_size=200))
def test_renaming_twice_is_renaming_once(text: str) -> None:
    once = naming.rename(text)

    assert naming.rename(once) == once


def test_naming_works_where_telltale_is_not(tmp_path: Path) -> None:
    (tmp_path / "naming.py").write_bytes(Path(naming.__file__).read_bytes())
    code = "import naming; print(naming.name(test='t', text='ValueError: 12345').signature)"

    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == name_failure(test="t", text="ValueError: 12345").signature


def test_a_very_long_text_is_named_by_its_ends() -> None:
    text = "x\n" * 10**6 + CRASH

    assert name_failure(test="t", text=text).template == "SIGSEGV in read_header"


LONG_ONES = ("a.", "a/", "'/a", "[", "(/", "1-", "x == ", "| ", "\x1b[", "exit ", "tmp", "a:1: ")


@pytest.mark.parametrize("piece", LONG_ONES)
@pytest.mark.parametrize("before", ["E   assert ", "E   X: ", "Exception Group Traceback\n", ""])
def test_no_text_takes_long(piece: str, before: str) -> None:
    began = time.process_time()

    name_failure(test="t", text=before + piece * 100_000 + "\nE   ValueError: x")

    assert time.process_time() - began < 5


def test_the_verb_answers_line_by_line() -> None:
    asked = [
        {"id": "a", "test": "t", "text": "E   KeyError: 'model'"},
        {"id": 2, "test": "", "text": ""},
    ]
    lines = "\n\n".join(json.dumps(one) for one in asked)

    answers = list(signatures.answers(io.BytesIO(lines.encode())))

    assert [answer["id"] for answer in answers] == ["a", 2]
    assert answers[0] == {
        "id": "a",
        "signature": name_failure(test="t", text="E   KeyError: 'model'").signature,
        "kind": "exception",
        "template": "KeyError: 'model'",
    }


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        pytest.param(b"{", "line 2 is not JSON", id="no-json"),
        pytest.param(b"\xff\xfe", "line 2 is not JSON", id="no-utf-8"),
        pytest.param(b"[]", "line 2 is not a JSON object", id="a-list"),
        pytest.param(b'{"id": 1, "test": "t"}', "line 2 has no text under 'text'", id="no-text"),
        pytest.param(b'{"test": "t", "text": ""}', "line 2 has no text under 'id'", id="no-id"),
        pytest.param(b"[" * 100_000, "line 2 is not JSON", id="too-deep"),
    ],
)
def test_a_bad_line_is_named_with_its_number(line: bytes, wrong: str) -> None:
    good = b'{"id": 1, "test": "t", "text": ""}\n'

    with pytest.raises(UsageError, match=re.escape(wrong)):
        list(signatures.answers(io.BytesIO(good + line)))


@pytest.mark.parametrize("kind", naming._KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_a_kind_is_told_by_is_found_by_its_words(kind: str, data: st.DataObject) -> None:
    # The words only spare the patterns: whatever a pattern matches must hold one of them.
    pattern = dict(naming._TELLING)[kind]
    text = data.draw(st.from_regex(pattern, alphabet=st.characters(codec="ascii")))

    assert naming._any_in(naming._WORDS[kind], text.lower())


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", "Z", "_", "9", "12", "345", ":", "/", "\\", ".", "'", "(", ")", " "])
        | st.sampled_from(["C:", "tmp", "0x", "Errno", "http://", "gw1", "worker", "s", "kB", "-"])
        | st.characters(codec="utf-8", exclude_categories=["Cs"]),
        max_size=40,
    ).map("".join)
)
def test_what_is_spared_within_words_is_nothing_volatile(text: str) -> None:
    everywhere = re.compile(naming._VOLATILE.pattern.removeprefix(naming._WITHIN_WORD))

    assert [(one.span(), one.lastgroup) for one in naming._VOLATILE.finditer(text)] == [
        (one.span(), one.lastgroup) for one in everywhere.finditer(text)
    ]
