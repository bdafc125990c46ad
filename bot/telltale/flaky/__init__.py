"""Failures get names, and the history says which of them come and go. Pure."""
