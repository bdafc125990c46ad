import till


def test_holds_the_till():
    with till.take() as held:
        if till.company():
            other, _ = held.accept()
            with other:
                # Until the other test has failed.
                assert other.recv(1) == b""
