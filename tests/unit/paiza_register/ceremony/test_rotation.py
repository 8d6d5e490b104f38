"""Announcements of other keys: what the next member.json says of the new one and of the others."""

import json
from collections.abc import Callable

import pytest

from paiza_register.ceremony import Base
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.member_file import ca_entry
from paiza_register.ceremony.publication import publication
from paiza_register.ceremony.rotation import BACKDATED, OVERLAP, Dates, authority_announced, encryption_key_announced
from paiza_register.ceremony.times import CA_KEPT, time_text
from paiza_wire.errors import Rejected
from paiza_wire.identity import CertificateAuthority, Role, certificates, keys
from paiza_wire.message import key_wrapping
from tests.unit.paiza_register.ceremony.world import DAY, FEDERATION, World

MEMBER = "members/uzb/member.json"
STOLEN = Dates(stolen=True)


@pytest.fixture
def world() -> World:
    """Found a federation of three."""
    return World("kaz", "tjk", "uzb")


def announced(world: World, make: Callable[[Base], bytes]) -> Base:
    """Publish what the member announces, by its own key."""
    act = publication("uzb", {MEMBER: make(world.base)}, world.base, world.now)
    return world.decide(act, ("uzb",))


def new_public_key() -> bytes:
    """Make an encryption key; gives its public bytes."""
    return key_wrapping.private_key_from_seed(key_wrapping.generate_seed()).public_key.public_key_bytes


def new_ca(world: World, role: Role) -> bytes:
    """Make a CA of the member."""
    begin = world.now - BACKDATED
    return certificates.issue_ca(
        "uzb", FEDERATION, role, keys.generate_p256(), not_before=begin, not_after=begin + 1000 * DAY
    )


@pytest.mark.parametrize("stolen", [False, True])
def test_members_encrypt_for_the_new_key_from_now_on(world: World, stolen: bool) -> None:  # noqa: FBT001
    """The former key counts as long as it would; if it was stolen, the register names it no more."""
    public, (former,) = new_public_key(), world.base.register.member("uzb").encryption_keys
    base = announced(world, lambda base: encryption_key_announced(base, "uzb", public, world.now, Dates(stolen=stolen)))
    own = base.register.member("uzb")
    assert own.current_encryption_key(world.now).public == public
    assert [key.key_id for key in own.encryption_keys][:-1] == ([] if stolen else [former.key_id])


def test_dates_of_an_encryption_key_do_the_rest(world: World) -> None:
    """Until the new key begins the former one is in use, and it ends when it was announced to."""
    public, begins, until = new_public_key(), world.now + 2 * DAY, world.now + 3 * DAY
    dates = Dates(begins, until)
    base = announced(world, lambda base: encryption_key_announced(base, "uzb", public, world.now, dates))
    own = base.register.member("uzb")
    assert own.current_encryption_key(world.now).public != public
    assert own.current_encryption_key(begins).public == public
    assert own.encryption_keys[0].not_after == until


@pytest.mark.parametrize("role", ["node", "officer"])
def test_both_cas_count_until_the_former_one_ends(world: World, role: Role) -> None:
    """By default that is when every certificate that it issued has been renewed."""
    ca, before = new_ca(world, role), world.now
    base = announced(world, lambda base: authority_announced(base, "uzb", role, ca, world.now, Dates()))
    former, new = base.register.member("uzb").authority.cas(role)
    assert (new.certificate, former.ends - before) == (ca, OVERLAP)
    assert new.begins <= world.now


def test_a_stolen_ca_ends_now_and_stays_as_long_as_a_delivery(world: World) -> None:
    """What was signed under it before is delivered still; an announcement two weeks later drops it."""
    first, second, before = new_ca(world, "node"), new_ca(world, "node"), world.now
    base = announced(world, lambda base: authority_announced(base, "uzb", "node", first, world.now, STOLEN))
    assert base.register.member("uzb").authority.node_cas[0].ends == before
    base = announced(world, lambda base: authority_announced(base, "uzb", "node", second, world.now, Dates()))
    ended, *kept = base.register.member("uzb").authority.node_cas
    assert (ended.ends, [each.certificate for each in kept]) == (before, [first, second])
    world.now = before + CA_KEPT + DAY
    document = json.loads(authority_announced(base, "uzb", "node", second, world.now, Dates()))
    assert len(document["node_cas"]) == 2


@pytest.mark.parametrize("role", ["node", "officer"])
def test_a_ca_that_ended_lately_is_not_dropped(world: World, role: Role) -> None:
    """Nobody can verify what was signed under it before; whoever edits the file by hand is told until when."""
    ca, before = new_ca(world, role), world.now
    announced(world, lambda base: authority_announced(base, "uzb", role, ca, world.now, STOLEN))

    def without(base: Base) -> bytes:
        document = base.document("uzb")
        return to_json({**document, f"{role}_cas": document[f"{role}_cas"][1:]})

    world.now = before + CA_KEPT - DAY
    with pytest.raises(Rejected, match="may be dropped from") as refused:
        announced(world, without)
    assert time_text(before + CA_KEPT) in refused.value.detail
    world.now = before + CA_KEPT
    assert len(announced(world, without).register.member("uzb").authority.cas(role)) == 1


def test_a_ca_does_not_end_in_the_past(world: World) -> None:
    """Who could say so would take back what was signed under it, and drop it at once."""
    early = time_text(world.now - BACKDATED / 2)

    def edited(base: Base) -> bytes:
        document = base.document("uzb")
        (known,) = document["officer_cas"]
        entry = ca_entry(CertificateAuthority.of(new_ca(world, "officer")))
        return to_json({**document, "officer_cas": [{**known, "until": early}, entry]})

    with pytest.raises(Rejected, match="ends now at the earliest"):
        announced(world, edited)


def test_a_ca_of_another_member_is_refused(world: World) -> None:
    """As every reader would refuse it."""
    begin = world.now - BACKDATED
    foreign = certificates.issue_ca(
        "kaz", FEDERATION, "node", keys.generate_p256(), not_before=begin, not_after=begin + 1000 * DAY
    )
    with pytest.raises(Rejected, match="malformed"):
        announced(world, lambda base: authority_announced(base, "uzb", "node", foreign, world.now, Dates()))


def test_an_application_brings_back_no_key_that_was_replaced(world: World) -> None:
    """It is made of the node's folder and the key folder, which know the first keys still."""
    folder = dict(world.members["uzb"].document)
    public, ca = new_public_key(), new_ca(world, "node")
    announced(world, lambda base: encryption_key_announced(base, "uzb", public, world.now, STOLEN))
    announced(world, lambda base: authority_announced(base, "uzb", "node", ca, world.now, STOLEN))
    joined = world.known("uzb").joined(folder, world.now)
    own = world.base.document("uzb")
    assert joined["encryption_keys"] == own["encryption_keys"]
    assert joined["node_cas"] == own["node_cas"]
    assert joined["officer_cas"] == own["officer_cas"]
