"""Leaves something behind by being imported, before any test runs."""

import shop

shop.LOADED.append("plugin")


def test_nothing():
    assert True
