"""The services follow one style."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor

import paiza

# These name places in a log that the caller checks, not places in a list: an index up to which all was looked at, which
# a log commits to, or an index of the caller's own lost log. Held checkpoints are one for each log.
BY_INDEX = {"ListGrantedEntries", "ListLogEntries", "ListLostEntries", "ListHeldCheckpoints"}


def lists() -> Iterator[MethodDescriptor]:
    """Return every RPC that lists something."""
    for module in pkgutil.walk_packages(paiza.__path__, "paiza."):
        if not module.name.endswith("_pb2"):
            continue
        for service in importlib.import_module(module.name).DESCRIPTOR.services_by_name.values():
            yield from (each for each in service.methods if each.name.startswith(("List", "Search")))


@pytest.mark.parametrize("method", [each for each in lists() if each.name not in BY_INDEX], ids=lambda each: each.name)
def test_every_list_is_given_in_pages(method: MethodDescriptor) -> None:
    """A request for a list says how long a page is and where it begins; the answer has one list and the next token."""
    assert {"page_size", "page_token"} <= set(fields(method.input_type))
    answer = fields(method.output_type)
    assert "next_page_token" in answer
    assert sum(method.output_type.fields_by_name[name].is_repeated for name in answer) == 1


def fields(message: Descriptor) -> list[str]:
    """Return the names of a message's fields."""
    return [field.name for field in message.fields]
