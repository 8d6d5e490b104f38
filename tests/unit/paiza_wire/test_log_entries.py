"""Builders of log entries: one an event, and each says what it is given."""

import inspect
import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza_wire import log_entries, receipts

RECEIPT: dict[str, Any] = {"actor": "a", "source": "kaz", "digest": bytes(32), "dispatch_sha256": bytes(32)}
SIGNER = log_pb2.LoggedSigner(id="x", role="y", certificate_sha256=bytes(32))
VALUES: dict[object, Any] = {
    str: "name",
    bytes: bytes(32),
    int: 1,
    bool: True,
    int | None: None,
    log_pb2.LoggedSigner: SIGNER,
    Iterable[log_pb2.LoggedSigner]: [SIGNER],
    Collection[bytes]: [bytes(32)],
    datetime: datetime(2026, 11, 23, tzinfo=UTC),
}
BUILDERS = {
    name: function
    for name, function in vars(log_entries).items()
    if not name.startswith("_")
    and inspect.isfunction(function)
    and inspect.signature(function).return_annotation is log_pb2.LogEntry
}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_builder_takes_keywords_only(name: str) -> None:
    """Digests look alike: by position one could stand for another."""
    kinds = {each.kind for each in inspect.signature(BUILDERS[name]).parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY}


def test_every_event_has_a_builder() -> None:
    """A built entry has the detail of its event, and parses."""
    built = set()
    for build in BUILDERS.values():
        values = {
            name: VALUES[each.annotation] if name != "answer" else log_entries.received(**RECEIPT)
            for name, each in inspect.signature(build).parameters.items()
        }
        entry = build(**values)
        assert log_entries.is_of_its_event(entry)
        entry.salt, entry.register_version = bytes(16), bytes(32)
        entry.entry_time.FromSeconds(1)
        assert receipts.parse_entry(entry.SerializeToString(deterministic=True)) == entry
        built.add(entry.event)
    assert built == log_entries.EVENTS


def test_facts_are_read_as_they_were_built() -> None:
    """Each accessor gives what the builder was told, and nothing for an entry that says no such thing."""
    of_part: dict[str, Any] = {"actor": "a", "digest": bytes(32), "part_number": 0}
    assert log_entries.part_number(log_entries.opened(**of_part)) == 0
    shown: dict[str, Any] = {**of_part, "source": "kaz", "ciphertext_sha256": bytes(32)}
    assert log_entries.part_number(log_entries.attachment_received(**shown)) == 0
    assert log_entries.part_number(log_entries.received(**RECEIPT)) is None
    refused = log_entries.attachment_refused(**shown, reason="part_altered")
    assert (log_entries.part_number(refused), log_entries.reason(refused)) == (0, "part_altered")
    sent = log_entries.answered(actor="a", recipient="tjk", answer=refused, answer_sha256=bytes(32))
    assert (sent.event, log_entries.reason(sent), log_entries.part_number(sent)) == (
        log_pb2.LOG_EVENT_DELIVERY_REFUSED,
        "part_altered",
        0,
    )
    passed: dict[str, Any] = {
        "actor": "a",
        "purpose": "detect",
        "grant_digest": b"",
        "without_annex": True,
    }
    for entry in (
        log_entries.exported(**passed, digests=[bytes(32)]),
        log_entries.forwarded(**passed, digest=bytes(32), recipient="tjk"),
    ):
        assert (log_entries.purpose(entry), log_entries.without_annex(entry)) == ("detect", True)
    held = log_entries.held(actor="a", digest=bytes(32))
    assert (log_entries.reason(held), log_entries.part_number(held), log_entries.purpose(held)) == ("", None, "")
    assert (log_entries.request_digest(held), log_entries.signers(held), log_entries.without_annex(held)) == (
        b"",
        [],
        False,
    )


def test_no_entry_is_built_elsewhere(root: Path) -> None:
    """Entries are built by the builders alone; LogEntry() is also what nothing was found reads as."""
    built = re.compile(r"LogEntry\((?!\))")
    folders = [root / "node" / "paiza_node", root / "client" / "paiza_client", root / "proto" / "paiza_wire"]
    files = [file for folder in folders for file in folder.rglob("*.py") if file.name != "log_entries.py"]
    assert [file.name for file in files if built.search(file.read_text())] == []


def test_an_entry_commits_to_its_list_and_no_other() -> None:
    """Digests are accepted in any order; a short, long, unsorted or foreign list does not match the entry."""
    digests = [bytes([number]) * 32 for number in (3, 1, 2)]
    entry = log_entries.opened_together(actor="a", digests=digests)
    listed = sorted(digests)
    assert log_entries.commits_to(entry, listed)
    for other in (digests, listed[:2], [*listed, bytes(32)], [*listed, listed[-1]], [], [b"x" * 32, *listed[1:]]):
        assert not log_entries.commits_to(entry, other)
    assert not log_entries.commits_to(log_entries.opened(actor="a", digest=listed[0], part_number=0), listed[:1])
    shown = log_entries.subjects_shown(actor="a", digests=digests)
    assert shown.subjects_shown.messages_sha256 == entry.opened_together.messages_sha256
