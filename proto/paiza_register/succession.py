"""Which set of the register may follow another: nothing is rolled back or taken back."""

from tuf.api.exceptions import BadVersionNumberError

from paiza_register.model import Register
from paiza_register.tuf_workflow import SignedVersion, refuse_older, refuse_older_roles
from paiza_wire.errors import Rejected


def refuse_rollback(known: Register, new: Register) -> None:
    """Refuse a set that rolls back the one accepted before; ``Rejected("register_rolled_back")``.

    No role's version may fall or vanish. Pins of keys may only be added to: dropping a key must not hide a log that
    showed two histories, nor a witness that saw both. So may the revocations under one key: the key of a node must not
    bring back an officer who was shut out. Under a new key, which the custodians delegate to, they begin anew:
    a thief of the former one may have filled the list with inventions. The former one is named for ever, and never
    delegated to again.
    """
    if new.federation != known.federation:
        raise Rejected("register_invalid", "the register is another federation's")
    before, after = known.state, new.state
    try:
        refuse_older(before, after)
        refuse_older_roles(before, after, before.named)
    except BadVersionNumberError as error:
        raise Rejected("register_rolled_back", str(error)) from error
    if not known.key_pins <= new.key_pins:
        raise Rejected("register_rolled_back", "a key of a log or a witness is no longer pinned")
    if not known.former_node_keys <= new.former_node_keys:
        raise Rejected("register_rolled_back", "a former key of a node is no longer named")
    for member, keys in known.revocation_keys.items():
        gone = {(member, key) for key in keys - new.revocation_keys.get(member, keys)}
        if not gone <= new.former_node_keys:
            raise Rejected("register_rolled_back", f"the key that {member}'s node had is not named as a former one")
    for member, revoked in known.revocations.items():
        if known.revocation_keys.get(member) != new.revocation_keys.get(member):
            continue
        if not revoked <= new.revocations.get(member, revoked):
            raise Rejected("register_rolled_back", f"{member} has taken back a revocation")


def follows(new: Register, old: Register) -> bool:
    """Return whether a reader that holds the old set accepts the new one.

    Of two sets that two publishers made at one time, neither follows the other.
    """
    before, after = old.state, new.state
    if before.timestamp.signers & after.timestamp_keys and after.timestamp.version <= before.timestamp.version:
        return False
    if new.version == old.version:
        return True
    if before.snapshot.signers & after.snapshot_keys and after.snapshot.version <= before.snapshot.version:
        return False
    try:
        refuse_rollback(old, new)
    except Rejected:
        return False
    return True


def signed_twice(known: SignedVersion, new: SignedVersion) -> frozenset[str]:
    """Return the ids of the keys that signed two timestamps, or two snapshots, of one version."""
    if known.version != new.version or known.sha256 == new.sha256:
        return frozenset()
    return known.signers & new.signers
