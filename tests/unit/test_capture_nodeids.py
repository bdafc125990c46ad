"""From JUnit's names back to pytest's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale.capture.nodeids import NodeIds, roots

FILES = (
    "test_top.py",
    "tests/unit/test_a.py",
    "tests/unit.py",
    "tests/unit/deep/__init__.py",
    "tests/v1.2/test_b.py",
    "tests/test_c.d.py",
    "docs/guide.rst",
    "src/pkg/mod.py",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("classname", "name", "nodeid"),
    [
        ("test_top", "test_1", "test_top.py::test_1"),
        ("tests.unit.test_a", "test_1[a.b-c]", "tests/unit/test_a.py::test_1[a.b-c]"),
        ("tests.unit.test_a.TestX", "test_1", "tests/unit/test_a.py::TestX::test_1"),
        ("tests.unit.test_a.TestX.TestY", "test_1", "tests/unit/test_a.py::TestX::TestY::test_1"),
        ("tests.unit", "test_1", "tests/unit.py::test_1"),
        ("tests.v1.2.test_b", "test_1", "tests/v1.2/test_b.py::test_1"),
        ("tests.test_c.d", "test_1", "tests/test_c.d.py::test_1"),
        ("docs.guide.rst", "guide.rst", "docs/guide.rst::guide.rst"),
        ("src.pkg.mod", "pkg.mod.f", "src/pkg/mod.py::pkg.mod.f"),
        # A file that could not be collected has no classname.
        ("", "tests.unit.test_a", "tests/unit/test_a.py"),
        ("", "nowhere.test_x", "nowhere.test_x"),
        # Other runners.
        ("com.acme.ShopTest", "sells", "com.acme.ShopTest::sells"),
        ("cart adds | items", "cart adds | items", "cart adds | items::cart adds | items"),
        ("example.org/shop/cart", "TestAdd", "example.org/shop/cart::TestAdd"),
        ("tests..unit", "test_1", "tests..unit::test_1"),
        ("two\nlines", "a\tb", r"two\nlines::a\tb"),
    ],
)
def test_the_files_on_disk_tell_which_dots_were_slashes(
    classname: str, name: str, nodeid: str, root: Path
) -> None:
    assert NodeIds([root]).nodeid(classname, name) == nodeid


def test_the_first_folder_that_has_the_file_wins(root: Path, tmp_path: Path) -> None:
    here = tmp_path / "tests"
    nodeids = NodeIds([here, root])

    assert nodeids.nodeid("unit.test_a", "test_1") == "unit/test_a.py::test_1"
    assert nodeids.nodeid("tests.unit.test_a", "test_1") == "tests/unit/test_a.py::test_1"
    assert root == tmp_path


def test_nodeids_are_relative_to_here_the_checkout_or_a_configured_folder(tmp_path: Path) -> None:
    here = tmp_path / "a/b/c/d"
    here.mkdir(parents=True)
    (tmp_path / "a/pytest.ini").touch()

    assert roots(here, None)[:2] == (here, tmp_path / "a")
    assert roots(here, tmp_path / "a/b")[:4] == (
        here,
        tmp_path / "a/b/c",
        tmp_path / "a/b",
        tmp_path / "a",
    )
    assert roots(here, here)[0] == here


@pytest.mark.parametrize(
    ("classname", "file", "nodeid"),
    [
        ("gone.test_a.TestX", "gone/test_a.py", "gone/test_a.py::TestX::test_1"),
        ("gone.test_a", "gone\\test_a.py", "gone/test_a.py::test_1"),
        ("VectorTest", "vector_test.cc", "VectorTest::test_1"),
        ("gone.test_a", "other/test_b.py", "gone.test_a::test_1"),
        ("etc.test_a", "/etc/test_a.py", "etc.test_a::test_1"),
        ("tests.unit.test_a", "", "tests/unit/test_a.py::test_1"),
    ],
)
def test_the_file_attribute_is_believed_when_it_agrees(
    classname: str, file: str, nodeid: str, root: Path
) -> None:
    assert NodeIds([root]).nodeid(classname, "test_1", file) == nodeid


def test_an_endless_name_is_cut_and_stays_its_own() -> None:
    one, other = (NodeIds([]).nodeid("a", "x" * 5000 + end) for end in "yz")

    assert one != other
    assert one[:2000] == other[:2000]
    assert len(one) == 2015


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_names_make_one_line(classname: str, name: str, file: str) -> None:
    nodeid = NodeIds([Path(__file__).parent]).nodeid(classname, name, file)

    assert not set(nodeid) & {"\n", "\r", "\0"}
