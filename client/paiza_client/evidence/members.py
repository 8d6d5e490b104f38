"""The members of an evidence file: what each is called, and what it holds, read and written. Judges nothing."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from paiza.core.v1 import message_pb2
from paiza_client.evidence.entries import Filed
from paiza_client.verify import logs
from paiza_client.verify.proven_time import Before
from paiza_officer.errors import NotProven, located
from paiza_register import Register, load_set
from paiza_wire.message import DIGEST_SIZE
from paiza_wire.receipts import MAX_LISTED
from paiza_wire.tlog import tlog_proof

MESSAGE: Final = "message.bin"
KEYS: Final = "keys/"
PARTS: Final = "parts/"
ENTRY: Final = ".entry"
PROOF: Final = ".tlog-proof"
BEFORE: Final = ".before"
GROWTH: Final = ".growth"
LIST: Final = ".list"

MAX_ENTRIES: Final = 1000  # of one file: releases, answers and passings on of 64 members, and what else became of it
MAX_SETS: Final = 512  # versions of the register in one file; one per entry at the worst, a few in practice
MAX_SETS_BYTES: Final = 1 << 30  # of all sets, what they share counted for each: some seconds of hashing
MAX_INDEX_BYTES: Final = 1 << 20  # what lists the files of one set: 1,000 names and digests

_PLACES: Final = re.compile(
    r"message\.bin|entries/[0-9]{3}\.(?:entry|tlog-proof|before|growth|list)|keys/(?:0|[1-9][0-9]?)\.key"
    r"|parts/(?:0|[1-9][0-9]?)\.bin|register/[0-9a-f]{64}\.json|register/files/[0-9a-f]{64}"
)
_HEX_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FILES: Final = "register/files/"


def check_names(members: Mapping[str, bytes]) -> None:
    """Refuse a member that has no place in this format, or that stands without what it belongs to."""
    for name in sorted(members):
        if not _PLACES.fullmatch(name):
            raise NotProven("bad_evidence", name, "a member of no known purpose")
        stem, dot, kind = name.rpartition(".")
        needs = {"entry": PROOF, "tlog-proof": ENTRY, "before": GROWTH, "growth": BEFORE, "list": ENTRY}.get(kind)
        if name.startswith("entries/") and (needs is None or stem + needs not in members):
            raise NotProven("bad_evidence", name, "what belongs to it is missing")
        if dot + kind == BEFORE and stem + PROOF not in members:
            raise NotProven("bad_evidence", name, "the entry it belongs to is missing")
    if MESSAGE not in members:
        raise NotProven("bad_evidence", MESSAGE, "the message is missing")


def of_entry(number: int, filed: Filed) -> dict[str, bytes]:
    """Return the members of one entry."""
    if number >= MAX_ENTRIES:
        raise NotProven("too_large", "entries", f"over {MAX_ENTRIES} entries")
    stem = f"entries/{number:03}"
    members = {stem + ENTRY: filed.entry, stem + PROOF: tlog_proof.format_proof(filed.proof)}
    if filed.listed:
        members[stem + LIST] = b"".join(filed.listed)
    if filed.before is not None:
        members |= {stem + BEFORE: filed.before.note, stem + GROWTH: tlog_proof.format_hashes(filed.before.growth)}
    return members


def entries(members: Mapping[str, bytes]) -> list[Filed]:
    """Read the entries and their proofs, in order of their numbers."""
    found = []
    for name in sorted(each for each in members if each.endswith(ENTRY)):
        stem = name.removesuffix(ENTRY)
        with located(stem + PROOF, NotProven):
            filed = Filed(stem, members[name], tlog_proof.parse_proof(members[stem + PROOF]))
        if stem + LIST in members:
            filed = replace(filed, listed=_list_of(members[stem + LIST], stem + LIST))
        if stem + BEFORE in members:
            with located(stem + GROWTH, NotProven):
                growth = tlog_proof.parse_hashes(members[stem + GROWTH])
            filed = replace(filed, before=Before(members[stem + BEFORE], growth))
        found.append(filed)
    return found


def _list_of(data: bytes, name: str) -> tuple[bytes, ...]:
    """Read the messages of an entry about several: their digests, one after another."""
    if not data or len(data) % DIGEST_SIZE or len(data) > MAX_LISTED * DIGEST_SIZE:
        raise NotProven("bad_evidence", name, "not a list of messages")
    return tuple(data[at : at + DIGEST_SIZE] for at in range(0, len(data), DIGEST_SIZE))


def part_keys(members: Mapping[str, bytes]) -> dict[int, bytes]:
    """Return the part keys in the file, by part number."""
    return {
        int(name.removeprefix(KEYS).removesuffix(".key")): data
        for name, data in sorted(members.items())
        if name.startswith(KEYS)
    }


def ciphertexts(members: Mapping[str, bytes]) -> dict[int, bytes]:
    """Return the ciphertexts that lie beside the message, by part number."""
    return {
        int(name.removeprefix(PARTS).removesuffix(".bin")): data
        for name, data in sorted(members.items())
        if name.startswith(PARTS)
    }


def of_register(sets: Mapping[bytes, Mapping[str, bytes]]) -> dict[str, bytes]:
    """Return the members of sets of the register: each file once, however many sets it stands in."""
    members: dict[str, bytes] = {}
    for version, files in sets.items():
        names = {path: sha256(data).hexdigest() for path, data in sorted(files.items())}
        members |= {_FILES + names[path]: data for path, data in files.items()}
        members[f"register/{version.hex()}.json"] = (json.dumps(names, indent=1, sort_keys=True) + "\n").encode()
    return members


def registers(members: Mapping[str, bytes], root: bytes) -> tuple[logs.Registers, list[bytes]]:
    """Read and verify the sets of the register, each at its own time; gives them, and their versions."""
    indexes = sorted(name for name in members if name.startswith("register/") and not name.startswith(_FILES))
    if not indexes:
        raise NotProven("register_unknown", "register", "there is no set of the register")
    if len(indexes) > MAX_SETS:
        raise NotProven("too_large", "register", f"over {MAX_SETS} sets")
    used: set[str] = set()
    total = 0
    loaded: dict[bytes, Register] = {}
    for name in indexes:
        listed = _listed(name, members[name])
        files = {path: _file(members, digest) for path, digest in listed.items()}
        used.update(listed.values())
        total += sum(map(len, files.values()))
        if total > MAX_SETS_BYTES:
            raise NotProven("too_large", "register", f"over {MAX_SETS_BYTES} bytes in all sets")
        with located(name, NotProven):
            register = load_set(files, root, None)
        if f"register/{register.version.hex()}.json" != name:
            raise NotProven("register_unknown", name, "the set is not of the version it is filed under")
        loaded[register.version] = register
    for name in members:
        if name.startswith(_FILES) and name.removeprefix(_FILES) not in used:
            raise NotProven("bad_evidence", name, "a file of no set of the register")
    current = max(loaded.values(), key=lambda register: (register.expiry_time, register.version))
    return logs.Registers(current, loaded), list(loaded)


def parse_message(data: bytes) -> message_pb2.SignedMessage:
    """Read a signed message; that it is written in the one way is for `message.verify` to say."""
    try:
        return message_pb2.SignedMessage.FromString(data)
    except DecodeError as error:
        raise NotProven("malformed", MESSAGE, "not a signed message") from error


def _listed(name: str, data: bytes) -> dict[str, str]:
    if len(data) > MAX_INDEX_BYTES:
        raise NotProven("too_large", name, f"over {MAX_INDEX_BYTES} bytes")
    try:
        listed = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise NotProven("bad_evidence", name, "it cannot be read") from error
    if not isinstance(listed, dict):
        raise NotProven("bad_evidence", name, "not a list of files")
    for digest in listed.values():
        if not isinstance(digest, str) or not _HEX_SHA256.fullmatch(digest):
            raise NotProven("bad_evidence", name, "a file is not named by its SHA-256")
    return listed


def _file(members: Mapping[str, bytes], digest: str) -> bytes:
    data = members.get(_FILES + digest)
    if data is None:
        raise NotProven("register_unknown", _FILES + digest, "a file of a set of the register is missing")
    if sha256(data).hexdigest() != digest:
        raise NotProven("bad_evidence", _FILES + digest, "it is not the file of this SHA-256")
    return data
