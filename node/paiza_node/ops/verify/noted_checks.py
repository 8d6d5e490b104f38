"""Verification of settings and counters: each is one that this program knows, and what the log gives.

They belong to all packages; each counter of rows is compared with its rows by their owner.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC
from hashlib import sha256
from typing import Final

from typing_extensions import override

from paiza.core.v1 import log_pb2
from paiza_node.core.access import held, need_to_know
from paiza_node.core.access import store as access_store
from paiza_node.core.errors import N_
from paiza_node.core.log import store as log_store
from paiza_node.core.register import revoking, sync
from paiza_node.core.storage import ReadConnection, scanning
from paiza_node.core.storage import settings as settings_store
from paiza_node.core.storage.findings import Check, Part, Step
from paiza_node.features.audit import log_index
from paiza_node.features.audit import store as audit_store
from paiza_node.features.directory import publish
from paiza_node.features.peer_audit import grants
from paiza_node.features.recovery import progress
from paiza_node.features.retention import store as retention_store
from paiza_node.features.search import index, saved
from paiza_node.features.witness import prune, upgrade_proofs
from paiza_node.ops import announced_keys, reload, signing_keys
from paiza_node.ops.backup import record
from paiza_wire.errors import PaizaError

THREAD: Final = "thread "
COUNTERS: Final = frozenset({
    log_index.CURSOR,
    audit_store.NAMES,
    grants.COUNTER,
    retention_store.DELIVERIES,
    index.CURSOR,
    saved.VERSION,
    upgrade_proofs.COUNTER,
    *(tier.counter for tier in prune.TIERS),
})  # fmt: skip


class Noted(Check):
    """Verifies settings and counters. They are few."""

    events = (
        log_pb2.LOG_EVENT_REGISTER_UPDATED,
        log_pb2.LOG_EVENT_CONFIG_CHANGED,
        log_pb2.LOG_EVENT_KEY_ADDED,
        log_pb2.LOG_EVENT_KEY_ANNOUNCED,
        log_pb2.LOG_EVENT_BACKED_UP,
        log_pb2.LOG_EVENT_DIRECTORY_CHANGED,
    )

    def __init__(self, scan: ReadConnection, index_key: bytes | None) -> None:
        """``index_key`` is the key of the search index, None if it is under a passphrase."""
        self._scan = scan
        self._index_key = index_key
        self._register_version = b""
        self._config = -1, b""  # index of the last entry, SHA-256
        self._log_keys: set[bytes] = set()
        self._announced: dict[str, tuple[bytes, int]] = {}  # by kind: the key logged last, and where
        self._backups: set[bytes] = set()
        self._directory = b""
        self._directory_changes: Counter[bytes] = Counter()  # by day

    @override
    def read_entry(self, index: int, entry: log_pb2.LogEntry) -> None:
        if entry.event == log_pb2.LOG_EVENT_REGISTER_UPDATED:
            self._register_version = entry.register_version
        elif entry.event == log_pb2.LOG_EVENT_CONFIG_CHANGED:
            self._config = index, entry.config_changed.config_sha256
        elif entry.event == log_pb2.LOG_EVENT_KEY_ADDED:
            self._log_keys.add(entry.key_added.vkey_sha256)
        elif entry.event == log_pb2.LOG_EVENT_KEY_ANNOUNCED:
            self._announced[entry.key_announced.kind] = entry.key_announced.key_sha256, index
        elif entry.event == log_pb2.LOG_EVENT_BACKED_UP:
            self._backups.add(entry.backed_up.backup_id)
        else:
            self._directory = entry.directory_changed.file_sha256
            self._directory_changes[f"{entry.entry_time.ToDatetime(tzinfo=UTC):%Y-%m-%d}".encode()] += 1

    @override
    def verify(self, part: Part, step: Step) -> None:
        """Check all settings and counters.

        1. Each name is known.
        2. Each setting is what the log gives, as far as the log still has that entry, and none is missing.
        3. No counter of entries or messages counts more of them than there are.
        """
        settings: dict[str, bytes] = {}
        for rows in scanning.rows(self._scan, settings_store.setting_table):
            settings |= {row.name: row.value for row in rows}
        counters = settings_store.counters(self._scan, "")
        step(len(settings) + len(counters))
        # 1.
        checks = self._checks()
        for name in sorted(settings.keys() - checks.keys()):
            _find(part, N_("No setting has this name."), name)
        for name in sorted(counters.keys() - COUNTERS):
            if not name.startswith(THREAD):
                _find(part, N_("No counter has this name."), name)
        # 2.
        for name, holds in checks.items():
            try:
                agrees = holds(settings.get(name))
            except (ValueError, PaizaError):
                agrees = False
            if not agrees:
                _find(part, N_("The setting is not what the log gives."), name)
        # 3.
        head = log_store.head(self._scan)
        for name, most in (
            (upgrade_proofs.COUNTER, head.size),
            (log_index.CURSOR, head.size),
            (index.CURSOR, head.messages),
        ):
            if counters.get(name, 0) > most:
                _find(part, N_("The counter counts more than there is."), name)
        part.counts = {"settings": len(settings), "counters": len(counters)}

    def _checks(self) -> Mapping[str, Callable[[bytes | None], bool]]:
        """Return for each known name whether a value agrees with the log; None if it is not stored."""
        announced = {f"{announced_keys.ANNOUNCED}{kind}": place for kind, place in self._announced.items()}
        return {
            sync.SETTING_VERSION: lambda value: (value or b"") == self._register_version,
            reload.SETTING_CONFIG: self._is_config,
            signing_keys.SETTING_LOG_KEYS: self._are_log_keys,
            index.SETTING_KEY: self._is_index_key,
            index.SETTING_AGAIN: self._are_messages,
            record.SETTING: lambda value: value is None or value in self._backups or self._may_lack(),
            publish.SETTING: self._is_directory,
            publish.DAY_SETTING: self._is_directory_day,
            progress.SETTING: lambda value: bool(progress.Progress.from_bytes(value)),
            held.SETTING: self._are_officers,
            revoking.SETTING: lambda value: revoking.decode(value or b"") is not None,
            **{name: _equals(place) for name, place in announced.items()},
        }

    def _may_lack(self) -> bool:
        """Return whether retention removed entries."""
        return bool(scanning.count(self._scan, log_store.retired_table))

    def _is_config(self, value: bytes | None) -> bool:
        place, digest = self._config
        if value is None or value[: len(digest)] != digest:
            return value is None and not digest
        text = log_store.texts(self._scan, [place]).get(place)
        return text is None or text.text == need_to_know.duty_unit_text(value[len(digest) :].decode())

    def _are_log_keys(self, value: bytes | None) -> bool:
        keys = [sha256(each).digest() for each in (value or b"").splitlines()]
        return len(set(keys)) == len(keys) and set(keys) == self._log_keys

    def _is_index_key(self, value: bytes | None) -> bool:
        """Return whether it names the index key; a node that never ran has none."""
        if value is None:
            return not settings_store.counter(self._scan, index.CURSOR)
        return self._index_key is None or value == index.TokenKey(self._index_key).fingerprint

    def _are_messages(self, value: bytes | None) -> bool:
        last = log_store.head(self._scan).messages
        return len(value or b"") % index.NUMBER_BYTES == 0 and max(index.read_again(value), default=0) <= last

    def _is_directory(self, value: bytes | None) -> bool:
        if not self._directory:
            return value is None or self._may_lack()
        return value is not None and sha256(publish.decode(value).data).digest() == self._directory

    def _is_directory_day(self, value: bytes | None) -> bool:
        if not self._directory_changes:
            return value is None or self._may_lack()
        day, count = max(self._directory_changes.items())
        return value == day + b"%d" % count

    def _are_officers(self, value: bytes | None) -> bool:
        return set((value or b"").decode().split()) <= set(access_store.officers(self._scan))


def _equals(place: tuple[bytes, int]) -> Callable[[bytes | None], bool]:
    return lambda value: value is not None and announced_keys.read(value) == place


def _find(part: Part, what: str, name: str) -> None:
    part.find("log_damaged", what, "{name}", name=name)
