"""Capture: run one command under measurement and find out what there is to know about the run."""
