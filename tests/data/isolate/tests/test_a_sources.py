"""What other tests trip over, between tests that do no harm."""

import os

import shop


def test_harmless_first():
    assert True


def test_sets_a_variable():
    os.environ["SHOP_MODE"] = "loud"


def test_changes_the_folder(tmp_path):
    os.chdir(tmp_path)


def test_replaces_a_global():
    shop.MODE = "loud"


def test_first_step():
    shop.STEPS.append("first")


def test_harmless_between():
    assert True


def test_second_step():
    if shop.STEPS == ["first"]:
        shop.STEPS.append("second")


def test_registers():
    shop.REGISTRY.append("till")


def test_harmless_last():
    assert True
