"""Scaffolds: a folder that reproduces one failure, made from evidence and run on its own."""

from telltale.scaffold.request import Request, request_from_bundle, request_from_record
from telltale.scaffold.verify import Result, reproduce
from telltale.scaffold.writer import failure_name, write

__all__ = [
    "Request",
    "Result",
    "failure_name",
    "reproduce",
    "request_from_bundle",
    "request_from_record",
    "write",
]
