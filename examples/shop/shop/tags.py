"""Tags of an article."""


def unique(tags):
    """Return the tags without repetition, in the order in which they came."""
    return list(set(tags))  # the bug: a set has no order
