"""What a test says happened on GitHub before, or beside, the program under test.

`repo` is a full name; the main repository when not given. Times are aware datetimes or ISO
8601; now when not given. Every method can be called from a seed file too, as
`{"do": "<method>", ...keyword arguments}`.
"""

from tests.fake_github.seeding.ci import Ci


class Seeding(Ci):
    """All seeding methods; each module's class adds its subject to the one before."""


__all__ = ["Seeding"]
