"""Telltale: evidence of every run, verdicts one can defend, flaky failures that reproduce."""

__version__ = "0.1.0"
