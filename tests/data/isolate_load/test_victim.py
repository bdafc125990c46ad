import till


def test_first():
    assert True


def test_wants_the_till():
    if till.company():
        with till.await_holder():
            till.take().close()
    else:
        till.take().close()
