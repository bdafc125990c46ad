import pytest

from shop.tags import unique


@pytest.mark.parametrize("tag", ["new", "sale", "last piece"])
def test_one_tag(tag):
    assert unique([tag, tag]) == [tag]


def test_tags_keep_their_order():
    assert unique(["new", "sale", "new"]) == ["new", "sale"]
