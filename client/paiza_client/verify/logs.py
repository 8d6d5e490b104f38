"""Reads members' logs: checkpoints by the keys in the register, and entries by their proofs. Pure."""

from collections.abc import Mapping

from paiza.core.v1 import log_pb2
from paiza_client.verify.model import Proof
from paiza_officer.errors import NotProven, located
from paiza_register import Member, Register
from paiza_wire import log_entries, receipts
from paiza_wire.tlog import checkpoint
from paiza_wire.tlog.notes import VerifierKey


class Registers:
    """The register in force and the older sets that were fetched for this check, by version."""

    def __init__(self, current: Register, archived: Mapping[bytes, Register] | None = None) -> None:
        self.current = current
        self._archived = dict(archived or {})

    def at(self, version: bytes) -> Register:
        """Return the set of this version; NotProven if it was not to be had."""
        if version == self.current.version:
            return self.current
        register = self._archived.get(version)
        if register is None:
            raise NotProven("register_unknown", version.hex()[:16], "no archived set of this version")
        return register

    def has(self, version: bytes) -> bool:
        """Return whether the set of this version is at hand."""
        return version == self.current.version or version in self._archived

    def add(self, register: Register) -> None:
        """Keep a verified older set."""
        self._archived[register.version] = register

    def all(self) -> tuple[Register, ...]:
        """Return every set at hand, each version once."""
        return tuple({**self._archived, self.current.version: self.current}.values())

    def owner(self, origin: str) -> Member:
        """Return the member whose log this is. Log keys are only ever added, so the set in force knows them all.

        A member whose role has expired may not speak; what it logged is still verified.
        """
        for register in (self.current, *self._archived.values()):
            for member in register.described.values():
                if origin in member.origins:
                    return member
        raise NotProven("unknown_log", origin, "no member of the register has this log")

    def keys_of_log(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return every key that this log ever had, by any set at hand: one of them may lack a later key."""
        found = (
            key.key
            for register in (self.current, *self._archived.values())
            for member in register.described.values()
            for key in member.log_keys
            if key.origin == origin
        )
        return tuple(dict.fromkeys(found))


class LogReader:
    """Verifies entries against the log keys of the register; each checkpoint's signature once."""

    def __init__(self, registers: Registers) -> None:
        self._registers = registers
        self._verified: dict[bytes, tuple[Member, checkpoint.VerifiedCheckpoint]] = {}

    def checkpoint(self, note: bytes) -> tuple[Member, checkpoint.VerifiedCheckpoint]:
        """Verify a checkpoint note by the keys of the log it names, also abandoned ones; give whose log that is."""
        if note not in self._verified:
            origin = note.split(b"\n", 1)[0].decode(errors="replace")
            owner = self._registers.owner(origin)
            with located(origin, NotProven):
                self._verified[note] = owner, checkpoint.verify(note, self._registers.keys_of_log(origin), origin)
        return self._verified[note]

    def entry(self, proven: log_pb2.ProvenEntry, note: bytes) -> tuple[Proof, receipts.VerifiedEntry]:
        """Verify that an entry stands in the log that signed the note."""
        owner, verified = self.checkpoint(note)
        with located(f"{verified.origin} #{proven.index}", NotProven):
            entry = receipts.verify_entry(proven, verified)
        return _proof(owner.id, entry), entry

    def proof(self, proof: log_pb2.LogProof) -> tuple[Proof, receipts.VerifiedEntry]:
        """Verify an entry that carries its own checkpoint."""
        return self.entry(proof.proven, proof.checkpoint)


def _proof(member: str, entry: receipts.VerifiedEntry) -> Proof:
    parsed = entry.entry
    return Proof(
        event=log_entries.event_name(parsed.event),
        member=member,
        counterpart=parsed.counterpart,
        time=entry.time,
        actor=parsed.actor,
        reason=log_entries.reason(parsed),
        origin=entry.checkpoint.origin,
        index=entry.index,
        tree_size=entry.checkpoint.size,
        digest=parsed.message_digest,
        part_number=log_entries.part_number(parsed),
        without_annex=log_entries.without_annex(parsed),
        register_version=parsed.register_version,
        listed=entry.listed,
    )


def event_numbers() -> dict[str, int]:
    """Return the number of each event that a log can hold, by its name."""
    return {log_entries.event_name(number): number for number in sorted(log_entries.EVENTS)}
