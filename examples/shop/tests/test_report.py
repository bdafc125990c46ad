import pytest

from shop.orders import receipt, report


def test_a_receipt_is_stable():
    assert receipt(1) == receipt(1)


@pytest.mark.parametrize("number", range(12))
def test_receipts_differ(number):
    assert receipt(number) != receipt(number + 1)


def test_a_year_of_orders():
    assert len(report(range(400))) == 400
