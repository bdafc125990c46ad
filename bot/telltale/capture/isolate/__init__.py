"""Is a failed test order-dependent, brittle, flaky or plainly broken: run it and see."""
