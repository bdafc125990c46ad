"""
Repeat one failed test until it fails again in the same way.

This package travels: every scaffold carries it verbatim and runs it with the
Python of the environment under test. So it needs nothing but the standard
library of Python 3.8, imports nothing of Telltale, and takes all it knows
from `reproduce.json`. `naming.py`, which names failures, is handed to it.
"""
