"""Signs a proposal with the keys in a member's key folder, and remembers what was signed.

The order is what protects the custodian:

1. The clock is behind neither the proposal nor its base: a custodian who believes an old time would sign what has
   expired.
2. The folder holds keys of one member that may sign.
3. The roots and targets that the proposal builds on are those that were signed here, and the roots those that what was
   signed here built on; every (role, version) that
   would be signed was never signed under another digest. `signed.json` in the folder remembers them; it is on the disk
   before a signature exists. A crash between the two leaves a digest that may be signed again, and no other. Of two
   processes that sign with one folder, the second waits until the first has remembered.
4. The signatures are made, and `ceremonies.jsonl` in the folder gets a record: who, which key, what, by which clock.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Root, Targets

from paiza_register import carried, roles
from paiza_register.archive import write_durably
from paiza_register.ceremony.proposal import Proposal
from paiza_register.ceremony.record import Circumstances
from paiza_register.ceremony.times import time_text
from paiza_register.pair_key import PairSigner
from paiza_trust import records
from paiza_trust.errors import TrustError
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import N_

SIGNED: Final = "signed.json"

REFUSED: Final = "refused"

_KIND: Final = "signed"
_MAX_BYTES: Final = 8 << 20
_SECOND_HALF: Final = "-mldsa44.pem"


@dataclass(frozen=True)
class OwnKeys:
    """One member's keys that may sign a proposal: the custodian's, the member's own, the data officer's."""

    member: str
    names: tuple[str, ...]
    signers: tuple[PairSigner, ...]


def find_keys(folder: KeyFolder, proposal: Proposal) -> OwnKeys:
    """Open the keys in a folder that may sign a proposal (step 2), and no others.

    ``TrustError`` if there is none, if they are of several members, or if one is another key than its name says.
    """
    holders = {
        key_name(role, member): member
        for role, signers in proposal.draft.signers.items()
        for _key, member in signers.values()
    }
    names = [name for name in sorted(holders) if _is_here(folder, name)]
    if not names:
        what = N_("The folder holds none of the keys that may sign this: {keys}")
        remedy, keys = N_("Name the folder that holds one of them with --keys."), ", ".join(sorted(holders))
        raise TrustError("file_unreadable", what, str(folder.folder), remedy, values={"keys": keys})
    if len({holders[name] for name in names}) > 1:
        what = N_("The folder holds keys of several members that may sign this: {keys}")
        remedy = N_("Name a folder of one member's keys with --keys.")
        raise TrustError("file_unreadable", what, str(folder.folder), remedy, values={"keys": ", ".join(names)})
    opened = [(name, folder.pair(name)) for name in names]
    for name, signer in opened:
        if not proposal.roles_of(signer.public_key.keyid):
            what = N_("The key is none that may sign this")
            remedy = N_("Sign with a key that the proposal names.")
            raise TrustError("bad_key", what, str(folder.folder / name), remedy)
    return OwnKeys(holders[names[0]], tuple(names), tuple(signer for _, signer in opened))


def key_name(role: str, member: str) -> str:
    """Return the name of the pair in a key folder with which a member signs a role of the register."""
    if role in {Root.type, Targets.type}:
        return f"custodian-{member}"
    if role == roles.REFERENCE:
        return f"reference-{member}"
    return f"member-{member}" if role == member else f"revocations-{member}"


def knows_first_root(folder: KeyFolder, proposal: Proposal) -> bool:
    """Return whether something was signed in a folder on the first root that a proposal builds on, or it founds it."""
    return proposal.act.base is None or f"{proposal.act.federation} {Root.type} 1" in _signed(folder.folder / SIGNED)


def free_version(folder: KeyFolder, federation: str, role: str, known: int) -> int:
    """Return the next version of a role of which nothing was signed here yet; ``known`` is the one in the register."""
    signed = _signed(folder.folder / SIGNED)
    version = known + 1
    while f"{federation} {role} {version}" in signed:
        version += 1
    return version


def sign(
    folder: KeyFolder, own: OwnKeys, proposal: Proposal, now: datetime, instead: Proposal | None = None
) -> Proposal:
    """Sign a proposal; see the steps above. The caller has shown it and was told to sign.

    ``instead`` is a proposal that is dead: what was signed of it is forgotten, since it can never count.
    """
    check_clock(proposal, now)
    signed_roles = sorted({role for signer in own.signers for role in proposal.roles_of(signer.public_key.keyid)})
    with _locked(folder.folder):
        if instead is not None:
            _forget(folder.folder / SIGNED, instead)
        _remember(folder.folder / SIGNED, proposal, signed_roles)
    signed = proposal
    for name, signer in zip(own.names, own.signers, strict=True):
        signed = signed.signed_with(signer, _circumstances(folder, name, now))
    _record(folder, own, signed, signed_roles, now)
    return signed


def refuse(folder: KeyFolder, own: OwnKeys, proposal: Proposal, now: datetime) -> Proposal:
    """Sign that this custodian will never sign a proposal; refused if they did already. It is remembered as well."""
    check_clock(proposal, now)
    path, role = folder.folder / SIGNED, proposal.draft.main_role
    pairs = zip(own.names, own.signers, strict=True)
    name, signer = next((each for each in pairs if each[1].public_key.keyid in proposal.draft.deciders), ("", None))
    if signer is None:
        what, remedy = N_("The key does not decide on this, so its refusal says nothing"), N_("Do not sign it.")
        raise TrustError("bad_key", what, str(folder.folder / own.names[0]), remedy)
    with _locked(folder.folder):
        signed = _signed(path)
        if signed.get(_name(proposal, role)) == proposal.digest(role).hex():
            what, remedy = N_("The proposal was signed here already"), N_("A signature cannot be taken back.")
            raise TrustError("conflict", what, str(path), remedy)
        _write(path, {**signed, _refused(proposal): REFUSED})
    refused = proposal.refused_with(signer, _circumstances(folder, name, now))
    _record(folder, own, refused, [], now)
    return refused


def check_clock(proposal: Proposal, now: datetime) -> None:
    """Refuse a clock that is behind the proposal, or behind the register that it builds on (step 1)."""
    base = proposal.act.base
    if now < proposal.act.time:
        what, time = N_("The clock of this machine says {now}; the proposal is of {time}"), proposal.act.time
    elif base is not None and now < base.register.issued_time:
        what = N_("The clock of this machine says {now}; a node signed the register at {time}")
        time = base.register.issued_time
    else:
        return
    remedy = N_("Set the clock, or ask who proposed this to look at theirs.")
    raise TrustError("clock_skew", what, "", remedy, values={"now": time_text(now), "time": time_text(time)})


def _circumstances(folder: KeyFolder, name: str, now: datetime) -> Circumstances:
    """Return how a key of the folder is used now."""
    return Circumstances(now, records.TIME_SOURCE, folder.token(name) or "")


def _is_here(folder: KeyFolder, name: str) -> bool:
    return (folder.folder / f"{name}{_SECOND_HALF}").exists()


def _remember(path: Path, proposal: Proposal, roles: list[str]) -> None:
    """Note what is about to be signed (step 3)."""
    signed = _signed(path)
    if _refused(proposal) in signed:
        what, remedy = N_("The proposal was refused here"), N_("Have it proposed anew.")
        raise TrustError("conflict", what, str(path), remedy)
    _check_history(path, proposal)
    base = proposal.act.base
    for (role, version), digest_of_root in ({} if base is None else base.signed).items():
        if role == Root.type:  # also those that were signed before this custodian came
            signed[f"{proposal.act.federation} {role} {version}"] = digest_of_root.hex()
    for role in roles:
        version, digest = proposal.draft.roles[role].version, proposal.digest(role).hex()
        if signed.setdefault(_name(proposal, role), digest) != digest:
            what = N_("Version {version} of {role} was signed already, with another content")
            remedy = N_("Do not sign. Ask the other custodians which of the two proposals they were shown.")
            raise TrustError("conflict", what, str(path), remedy, values={"version": str(version), "role": role})
    _write(path, signed)


def _check_history(path: Path, proposal: Proposal) -> None:
    """Refuse a proposal that builds on another root, or on other targets, than those that were signed here."""
    signed = _signed(path)
    base = proposal.act.base
    for (role, version), before in ({} if base is None else base.signed).items():
        if signed.get(f"{proposal.act.federation} {role} {version}", before.hex()) != before.hex():
            what = N_("The proposal builds on another content of version {version} of {role} than the one signed here")
            remedy = N_("Do not sign, and inform all custodians at once: there are two registers.")
            raise TrustError("conflict", what, str(path), remedy, values={"version": str(version), "role": role})


def _forget(path: Path, dead: Proposal) -> None:
    """Forget what was signed of a proposal that can never count."""
    _check_history(path, dead)
    if not dead.is_dead:
        what = N_("The other proposal may still count; these refuse it: {members}")
        remedy = N_("Have it refused by those who have not signed it: paiza-trust refuse.")
        values = {"members": ", ".join(dead.refused_by()) or "-"}
        raise TrustError("conflict", what, str(path), remedy, values=values)
    of_it = {(_name(dead, role), dead.digest(role).hex()) for role in dead.draft.roles}
    _write(path, {name: digest for name, digest in _signed(path).items() if (name, digest) not in of_it})


def _signed(path: Path) -> dict[str, str]:
    """Return what was signed here: federation, role and version -> digest; and what was refused."""
    if not path.exists():
        return {}
    return carried.texts(carried.read(_KIND, path.read_bytes(), {"signed"}, _MAX_BYTES), "signed")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from reading or writing `signed.json` of a folder meanwhile: each would miss the other's."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, signed: Mapping[str, str]) -> None:
    write_durably(path, carried.write(_KIND, {"signed": dict(signed)}))


def _name(proposal: Proposal, role: str) -> str:
    return f"{proposal.act.federation} {role} {proposal.draft.roles[role].version}"


def _refused(proposal: Proposal) -> str:
    return f"{proposal.act.federation} refused {proposal.digest(proposal.draft.main_role).hex()}"


def _record(folder: KeyFolder, own: OwnKeys, proposal: Proposal, roles: list[str], now: datetime) -> None:
    record: dict[str, Any] = {
        **records.timed(now),
        "federation": proposal.act.federation,
        "member": own.member,
        "keys": [
            {"name": name, "key": signer.public_key.keyid, "token": folder.token(name)}
            for name, signer in zip(own.names, own.signers, strict=True)
        ],
        "proposal": proposal.fingerprint.hex(),
        "signed": [
            {"role": role, "version": proposal.draft.roles[role].version, "sha256": proposal.digest(role).hex()}
            for role in roles
        ],
    }
    records.append(folder.folder, record)
