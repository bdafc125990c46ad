from shop.settings import currency


def test_prices_are_in_euro():
    assert currency() == "EUR"
