import os
import time
from pathlib import Path

import shop

SEEN = []
HERE = Path(__file__).parents[1]


def test_wants_no_variable():
    assert "SHOP_MODE" not in os.environ


def test_wants_its_folder():
    assert Path.cwd() == HERE


def test_wants_the_global():
    assert shop.MODE == "quiet"


def test_wants_fewer_steps():
    assert shop.STEPS != ["first", "second"]


def test_wants_nothing_loaded():
    assert shop.LOADED == []


def test_needs_the_registry():
    assert shop.REGISTRY == ["till"]


def test_only_once():
    SEEN.append("me")
    assert SEEN == ["me"]


def test_wrong():
    assert shop.MODE.upper() == "QUIETER"


def test_every_third_time():
    # No luck: a file counts the executions.
    counter = HERE / "executions"
    count = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(count + 1))
    assert count % 3 != 0


def test_hangs_after_the_variable():
    if "SHOP_MODE" in os.environ:
        time.sleep(600)


def test_sound():
    assert True
