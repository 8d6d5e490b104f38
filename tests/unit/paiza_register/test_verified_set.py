"""A whole set of the register, verified offline: what passes, and that each thing wrong is refused."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ssl import PEM_cert_to_DER_cert
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile, Root, Targets

from paiza_register import load_set, roles
from paiza_register.ceremony.federation_file import pin
from paiza_register.pair_key import PairSigner
from paiza_register.succession import refuse_rollback
from paiza_register.validity import at_time
from paiza_wire.errors import PaizaError, Rejected, Unavailable
from paiza_wire.identity import SpiffeId, keys
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.tlog import cosignatures, notes
from paiza_wire.tlog.notes import SignerKey, VerifierKey
from tests.two_verifiers import second_verifier
from tests.unit.paiza_register.conftest import MEMBERS, NOW, Holder, refused_by_both, unusable_for_both
from tests.unit.paiza_wire.tlog.twins import TWINS

SECOND = timedelta(seconds=1)
GRACE = timedelta(hours=48)


def refused(reason: str, action: Callable[[], object], family: type[PaizaError] = Rejected) -> str:
    """Demand a refusal with this reason; gives its detail."""
    with pytest.raises(family) as caught:
        action()
    assert caught.value.reason == reason, str(caught.value)
    return caught.value.detail


def test_a_whole_set_is_read(holder: Holder) -> None:
    """The register of a dev federation says everything that the ceremony made."""
    files = holder.files()
    register = load_set(files, holder.bootstrap, NOW)
    assert register.version == sha256(files["metadata/1.snapshot.json"]).digest()
    assert register.federation == "paiza.example"
    assert tuple(member.id for member in register.active_members()) == tuple(sorted(MEMBERS))
    assert register.members["kaz"].names == {"ru": "Казахстан (учебный узел)", "en": "Kazakhstan (exercise node)"}
    assert [register.members[member].endpoints for member in MEMBERS] == [
        (f"127.0.0.1:{port}",) for port in (7401, 7402, 7403)
    ]
    assert register.members["tjk"].log_keys[0].origin == "tjk.paiza.example/log/1"
    assert register.members["tjk"].log_keys[0].vkey.startswith("tjk.paiza.example/log/1+")
    assert register.agreements == (("agreement-base", "// forbids nothing\n"),)
    assert register.legal_bases["un-1988-art-9"]["ru"]
    assert register.expiry_time == NOW + register.life == NOW + timedelta(days=1)
    assert not register.late


def test_the_register_verifies_certificates(holder: Holder) -> None:
    """The verifier of a register accepts the node and officer certificates the ceremony issued."""
    verifier = holder.load().certificate_verifier()
    pem = (holder.folder / "nodes/kaz/keys/tls.crt").read_text()
    assert (
        str(verifier.node(PEM_cert_to_DER_cert(pem), expected_member="kaz", at=NOW).id)
        == "spiffe://kaz.paiza.example/node"
    )
    officer = str(SpiffeId("tjk", "paiza.example", "officer", "duty"))
    pem = (holder.folder / "home/tjk-duty/signing.crt").read_text()
    assert str(verifier.signing(PEM_cert_to_DER_cert(pem), expected_id=officer, at=NOW).id) == officer


def test_a_published_revocation_counts(holder: Holder) -> None:
    """A certificate in revoked.json is refused by the register's verifier, that of another officer is not."""
    der = PEM_cert_to_DER_cert((holder.folder / "home/tjk-duty/signing.crt").read_text())
    entry = {"certificate_sha256": sha256(der).hexdigest(), "key_sha256": "0" * 64, "reason": "lost card"}
    holder.edit("members/tjk/revoked.json", lambda document: document["certificates"].append(entry))
    verifier = holder.load().certificate_verifier()
    refused(
        "certificate_revoked",
        lambda: verifier.signing(der, expected_id="spiffe://tjk.paiza.example/officer/duty", at=NOW),
    )
    other = PEM_cert_to_DER_cert((holder.folder / "home/tjk-liaison/signing.crt").read_text())
    verifier.signing(other, expected_id="spiffe://tjk.paiza.example/officer/liaison", at=NOW)


def test_a_suspended_member_stays_known(holder: Holder) -> None:
    """A suspended member takes no part, but what it signed can still be verified."""
    holder.edit("federation.json", lambda document: document["members"]["tjk"].update(status="suspended"))
    register = holder.load()
    assert [member.id for member in register.active_members()] == ["centre", "kaz"]
    refused("member_suspended", lambda: register.active_member("tjk"))
    refused("unknown_member", lambda: register.active_member("xyz"))
    der = PEM_cert_to_DER_cert((holder.folder / "nodes/tjk/keys/tls.crt").read_text())
    assert register.certificate_verifier().node(der, expected_member="tjk", at=NOW).id.member == "tjk"


def test_the_encryption_key_that_counts_is_the_newest_valid_one(holder: Holder) -> None:
    """Outside the validity of every key there is none to wrap for."""
    member = holder.load().member("kaz")
    key = member.current_encryption_key(NOW)
    assert key.key_id == sha256(key.public).digest() == key.key.key_id
    refused("encryption_key_expired", lambda: member.current_encryption_key(key.not_after + SECOND), Unavailable)
    refused("encryption_key_expired", lambda: member.current_encryption_key(key.not_before - SECOND), Unavailable)
    refused("unknown_log", lambda: member.keys_of_log("kaz.paiza.example/log/2"))


def test_every_file_counts(made: Holder) -> None:
    """A set with one file changed, cut or missing is refused, whichever file it is."""
    files = made.copy().files()
    del files["metadata/1.root.json"]  # the caller's own bootstrap root is used, never one that came with the set
    load_set(files, made.bootstrap, NOW)
    for path, data in files.items():
        wrong = [
            {**files, path: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]}
            for at in range(0, len(data), 1 + len(data) // 9)
        ]
        wrong += [
            {**files, path: data[:-2]},
            {**files, path: b""},
            {name: files[name] for name in files if name != path},
        ]
        for one in wrong:
            refused("register_invalid", lambda one=one: load_set(one, made.bootstrap, NOW))  # type: ignore[misc]


def test_every_part_of_the_bootstrap_root_counts(made: Holder) -> None:
    """A bootstrap root whose signed part was changed is refused: it must still sign itself."""
    files = made.copy().files()
    root = made.bootstrap
    for at in range(root.index(b'"signed"'), len(root), len(root) // 40):
        wrong = root[:at] + bytes([root[at] ^ 1]) + root[at + 1 :]
        refused("register_invalid", lambda wrong=wrong: load_set(files, wrong, NOW))  # type: ignore[misc]
    for wrong in (b"", b"[]", b"{}", b"null", b"[" * 100_000, files["metadata/timestamp.json"]):
        refused("register_invalid", lambda wrong=wrong: load_set(files, wrong, NOW))  # type: ignore[misc]


def test_a_member_cannot_speak_for_another(holder: Holder) -> None:
    """A member whose role lists another member's file is at fault itself; the other one is not."""
    holder.put("members/tjk/member.json", holder.documents["members/tjk/member.json"], role="kaz")
    assert "another role's" in unusable_for_both(holder, "kaz")


def test_a_member_cannot_sign_for_another(holder: Holder) -> None:
    """Metadata of tjk signed with kaz's key is refused."""
    holder.signers["tjk"] = holder.signers["kaz"]
    assert "tjk" in refused_by_both(holder)


def test_a_wildcard_does_not_cross_a_slash(holder: Holder) -> None:
    """A file one level deeper is outside the member's folder."""
    holder.put("members/kaz/deeper/member.json", b"{}")
    assert "another role's" in unusable_for_both(holder, "kaz")


def test_a_member_does_not_delegate_further(holder: Holder) -> None:
    """A member's role hands its folder to nobody."""
    key = holder.signers["kaz"][0].public_key
    role = DelegatedRole("x", [key.keyid], 1, terminating=True, paths=["members/kaz/*"])
    holder.roles["kaz"].delegations = Delegations({key.keyid: key}, {"x": role})
    assert "delegates further" in unusable_for_both(holder, "kaz")


def test_the_top_level_does_not_speak_for_a_member(holder: Holder) -> None:
    """The custodians list no member's file themselves: python-tuf would prefer it to the member's own."""
    holder.put("members/kaz/member.json", holder.documents["members/kaz/member.json"], role="targets")
    assert "another role's" in refused_by_both(holder)


def delegated(holder: Holder, member: str) -> DelegatedRole:
    """Return a member's delegation, to be changed."""
    assert holder.top.delegations is not None
    assert holder.top.delegations.roles is not None
    return holder.top.delegations.roles[member]


@pytest.mark.parametrize("paths", [["*"], ["members/*/*"], ["members/tjk/*"], ["members/kaz/*", "federation.json"], []])
def test_a_delegation_is_over_the_own_folder_alone(holder: Holder, paths: list[str]) -> None:
    """A delegation over more or other than the member's folder is refused."""
    delegated(holder, "kaz").paths = paths
    assert "own files" in refused_by_both(holder)


def test_a_delegation_is_terminating(holder: Holder) -> None:
    """A delegation that lets others be asked too is refused."""
    delegated(holder, "kaz").terminating = False
    assert "terminating" in refused_by_both(holder)


def test_members_share_no_key(holder: Holder) -> None:
    """One key that signs for two members is refused, and so is a custodian's key that signs for its member."""
    other = holder.copy()
    delegated(holder, "kaz").keyids = delegated(holder, "tjk").keyids
    holder.signers["kaz"] = holder.signers["tjk"]
    assert "shares a key" in refused_by_both(holder)
    custodian = other.signers["root"][0]
    assert other.top.delegations is not None
    other.top.delegations.keys[custodian.public_key.keyid] = custodian.public_key
    delegated(other, "kaz").keyids = [custodian.public_key.keyid]
    other.signers["kaz"] = [custodian]
    assert "stands twice" in refused_by_both(other)


def test_what_is_delegated_is_signed_with_pairs(holder: Holder) -> None:
    """A delegation to a key of one kind alone is refused."""
    assert holder.top.delegations is not None
    key = CryptoSigner.generate_mldsa(scheme="ml-dsa-44/1")
    for role in ("kaz", "kaz.node", "federation.reference"):
        weaker = holder.copy()
        assert weaker.top.delegations is not None
        weaker.top.delegations.keys[key.public_key.keyid] = key.public_key
        delegated(weaker, role).keyids = [key.public_key.keyid]
        weaker.signers[role] = [key]
        assert "not a pair" in refused_by_both(weaker)


def test_the_node_alone_revokes(holder: Holder) -> None:
    """A member's own key does not sign its revocations, nor its node's key what it says about itself."""
    for role, file in (("kaz", "members/kaz/revoked.json"), ("kaz.node", "members/kaz/member.json")):
        other = holder.copy()
        other.put(file, other.documents[file], role=role)
        assert "another role's" in unusable_for_both(other, "kaz")
    holder.signers["kaz.node"] = holder.signers["kaz"]
    assert "kaz.node" in refused_by_both(holder)


def test_revocations_stand_before_their_member(holder: Holder) -> None:
    """In the other order TUF would ask the member's own role for what is revoked, and end there."""
    assert holder.top.delegations is not None
    assert holder.top.delegations.roles is not None
    role = holder.top.delegations.roles.pop("kaz.node")
    holder.top.delegations.roles["kaz.node"] = role
    assert "asked for its file first" in refused_by_both(holder)


def leave(document: dict[str, Any]) -> None:
    """Remove kaz from the federation."""
    document["members"].pop("kaz")
    for holders in ("custodians", "publishers", "reference"):
        document[holders] = [each for each in document[holders] if each["member"] != "kaz"] or [
            {"member": "tjk", "key": "0" * 64}
        ]


def test_every_member_has_its_role(holder: Holder) -> None:
    """A member without delegation, a delegation without member, and a role missing from the snapshot are refused."""
    missing, extra, unnamed = holder.copy(), holder.copy(), holder.copy()
    assert missing.top.delegations is not None
    assert missing.top.delegations.roles is not None
    del missing.top.delegations.roles["kaz"]
    assert "not those" in refused_by_both(missing)
    extra.edit("federation.json", leave)
    assert "not those" in refused_by_both(extra)
    del unnamed.snapshot.meta["kaz.json"]
    assert "does not name kaz" in refused_by_both(unnamed)


@pytest.mark.parametrize("name", ["kgz.json", "kgz.node.json", "junk.json", "snapshot.json"])
def test_a_snapshot_names_no_role_that_nobody_signs(holder: Holder, name: str) -> None:
    """A version that a publisher invents would stand for ever before a member that is admitted later."""
    holder.snapshot.meta[name] = MetaFile(1 << 20, 1, {"sha256": "0" * 64})
    assert "role that nobody signs" in refused_by_both(holder)


def test_what_a_publisher_alone_signs_is_small(holder: Holder) -> None:
    """Snapshots are kept for ever: nobody fills them up, nor the timestamp."""
    snapshot, timestamp = holder.copy(), holder.copy()
    snapshot.snapshot.unrecognized_fields["padding"] = "x" * (256 << 10)
    assert "over 262144 bytes" in refused_by_both(snapshot)
    timestamp.timestamp.unrecognized_fields["padding"] = "x" * (32 << 10)
    assert "over 32768 bytes" in refused_by_both(timestamp)


@pytest.mark.parametrize("part", ["timestamp", "snapshot", "kaz"])
def test_no_version_is_too_high_to_count_on(holder: Holder, part: str) -> None:
    """Evidence is taken at its own time, with any version: not with one that no message can hold."""
    signed = holder.roles["kaz"] if part == "kaz" else getattr(holder, part)
    signed.version = (1 << 53) - 1
    load_set(holder.files(), holder.bootstrap, None)
    signed.version = 1 << 53
    assert "version above" in refused_by_both(holder)


def test_fewer_custodians_than_the_threshold_are_refused(holder: Holder) -> None:
    """Root and targets need more than half of the custodians."""
    custodians = holder.signers["targets"]
    for enough in (custodians[:2], custodians[1:], custodians[::2]):
        holder.signers["targets"] = enough
        holder.load()
    for each in custodians:
        holder.signers["targets"] = [each]
        refused_by_both(holder)
    holder.signers["targets"] = [custodians[0], *holder.signers["kaz"]]
    refused_by_both(holder)


def test_a_first_root_needs_every_founding_custodian(holder: Holder) -> None:
    """The threshold does not found a federation: a custodian who has not signed the first root is in no federation."""
    custodians = holder.signers["root"]
    assert holder.root.roles["root"].threshold < len(custodians)
    for missing in range(len(custodians)):
        holder.signers["root"] = [each for at, each in enumerate(custodians) if at != missing]
        holder.bootstrap = holder.sign("root", holder.root)
        holder.old_roots["metadata/1.root.json"] = holder.bootstrap
        assert "founding custodian" in refused_by_both(holder)


def test_a_later_root_needs_only_the_threshold(holder: Holder) -> None:
    """After the founding, the threshold's number of custodians signs a root."""
    holder.rotate_root(signers=holder.signers["root"][:2])
    assert holder.load().role_versions["root"] == 2


def test_a_new_root_is_followed(holder: Holder) -> None:
    """A root signed by enough of the old and of the new keys hands publishing to another key of the member."""
    key = change_publisher(holder)
    refused_by_both(holder)
    holder.signers |= {"snapshot": [key], "timestamp": [key]}
    assert holder.load().role_versions["root"] == 2


def change_publisher(holder: Holder) -> CryptoSigner:
    """Add another publishing key of the first member; return it."""
    key, old = CryptoSigner.generate_mldsa(scheme="ml-dsa-44/1"), holder.signers["timestamp"][0].public_key.keyid

    def change(root: Root) -> None:
        for role in ("snapshot", "timestamp"):
            root.revoke_key(old, role)
            root.add_key(key.public_key, role)

    holder.rotate_root(change)
    new = key.public_key.keyid
    holder.edit("federation.json", lambda document: document["publishers"][0].update(key=new))
    return key


def test_a_new_root_needs_the_old_keys(holder: Holder) -> None:
    """A root that only its own new keys have signed is refused, and so is one that leaves out a version."""
    strangers = [PairSigner(PairPrivateKey.generate()) for _ in range(3)]

    def take_over(root: Root) -> None:
        for role in ("root", "targets"):
            root.roles[role].keyids = []
            for stranger in strangers:
                root.add_key(stranger.public_key, role)

    usurped, skipped = holder.copy(), holder.copy()
    usurped.rotate_root(take_over, strangers)
    refused_by_both(usurped)
    skipped.root.version += 1
    key = change_publisher(skipped)
    skipped.signers |= {"snapshot": [key], "timestamp": [key]}
    refused_by_both(skipped)


def test_a_root_under_another_number_is_refused(holder: Holder) -> None:
    """A root must have the version that its name says."""
    holder.rotate_root(lambda root: setattr(root, "version", 7))
    holder.old_roots["metadata/2.root.json"] = holder.old_roots.pop("metadata/7.root.json")
    refused_by_both(holder)


def test_the_snapshot_commits_to_everything(holder: Holder) -> None:
    """A snapshot or timestamp that names a file without its hash is refused."""
    files = holder.files()
    holder.snapshot.meta["kaz.json"] = MetaFile(1)
    files["metadata/1.snapshot.json"] = data = holder.sign("snapshot", holder.snapshot)
    holder.timestamp.snapshot_meta = MetaFile(1, len(data), {"sha256": sha256(data).hexdigest()})
    files["metadata/timestamp.json"] = holder.sign("timestamp", holder.timestamp)
    assert "without its SHA-256" in refused("register_invalid", lambda: load_set(files, holder.bootstrap, NOW))
    holder.timestamp.snapshot_meta = MetaFile(1)
    files["metadata/timestamp.json"] = holder.sign("timestamp", holder.timestamp)
    assert "without its SHA-256" in refused("register_invalid", lambda: load_set(files, holder.bootstrap, NOW))


@pytest.mark.parametrize("part", ["timestamp", "snapshot", "top", "root"])
def test_expiry_is_followed_by_the_grace_and_then_by_nothing(holder: Holder, part: str) -> None:
    """The earliest expiry of a shared part counts: then the register is late, and after the grace it is refused."""
    expiry = NOW + timedelta(days=3)
    holder.live_long()
    if part == "root":
        holder.rotate_root(lambda root: setattr(root, "expires", expiry))
    else:
        getattr(holder, part).expires = expiry
    assert holder.load(expiry - SECOND).expiry_time == expiry
    assert not holder.load(expiry - SECOND).late
    assert holder.load(expiry).late
    assert holder.load(expiry + GRACE).late
    refused("register_expired", lambda: holder.load(expiry + GRACE + SECOND), Unavailable)


@pytest.mark.parametrize("role", ["kaz", "kaz.node"])
def test_an_expired_role_of_one_member_is_its_own_fault(holder: Holder, role: str) -> None:
    """After the grace the member may not speak, at any time asked for; the register is not late, and quorums stay."""
    expiry = NOW + timedelta(days=3)
    holder.live_long()
    holder.roles[role].expires = expiry
    assert set(holder.load(expiry + GRACE).members) == set(MEMBERS)
    register = holder.load(expiry + GRACE + SECOND)
    assert (register.late, set(register.members)) == (False, {"tjk", "centre"})
    assert role in refused("member_unusable", lambda: register.active_member("kaz"))
    assert register.active_ids == set(MEMBERS)
    assert register.expiry_time > expiry
    assert set(at_time(register, expiry).members) == set(at_time(register, NOW).members) == set(MEMBERS)
    assert set(holder.load(None).members) == set(MEMBERS)


def test_evidence_is_judged_at_its_own_time(holder: Holder) -> None:
    """A set that expired long ago loads if no time is given."""
    for part in (holder.timestamp, holder.snapshot, holder.top):
        part.expires = NOW - timedelta(days=4000)
    register = holder.load(None)
    assert not register.late
    assert register.expiry_time == NOW - timedelta(days=4000)


def test_more_than_a_member_may_list_is_its_own_fault(holder: Holder) -> None:
    """Too many files, too many bytes, and a list of revocations that is too large are not even read."""
    for count, size in ((16, 10), (3, 900_000)):
        large = holder.copy()
        for at in range(count):
            large.put(f"members/kaz/{at}.json", bytes(size))
        assert "too many files" in unusable_for_both(large, "kaz")
        files = large.files()
        for path in [path for path in files if path.startswith("targets/members/kaz/")]:
            if not path.endswith(("revoked.json", "liaison.json")):
                del files[path]
        assert set(load_set(files, holder.bootstrap, NOW).unusable) == {"kaz"}
    holder.edit("members/kaz/revoked.json", lambda d: d.update(padding="x" * (1 << 20)))
    assert "too large" in holder.load().unusable["kaz"]


def test_too_many_revocations_are_the_members_own_fault(holder: Holder) -> None:
    """Five thousand are read by both verifiers, one more by neither."""
    entries = [{"certificate_sha256": f"{at:064x}", "key_sha256": f"{at + 9000:064x}"} for at in range(5001)]
    holder.edit("members/kaz/revoked.json", lambda d: d.update(certificates=entries[1:]))
    assert len(holder.load().member("kaz").authority.revoked) == 10_000
    holder.edit("members/kaz/revoked.json", lambda d: d.update(certificates=entries))
    assert "5000" in unusable_for_both(holder, "kaz")


def test_too_much_of_what_all_share_is_refused(holder: Holder) -> None:
    """Agreements over the budget refuse the set; reference data over it are left out."""
    reference = holder.copy()
    for at in range(5):
        reference.put(f"reference-{at}.json", bytes(4_000_000))
    register = reference.load()
    assert set(register.members) == set(MEMBERS)
    assert "too many files" in register.reference_fault
    assert not any(path.startswith("reference-") for path in register.reference)
    holder.put("agreement-large.cedar", bytes((4 << 20) + 1))
    assert "too large" in refused("register_invalid", holder.load)


def test_the_reference_role_stops_nobody(holder: Holder) -> None:
    """Reference data that expired are marked; those of a role that lists other files are left out."""
    expiry = NOW + timedelta(days=3)
    holder.live_long()
    holder.roles["federation.reference"].expires = expiry
    register = holder.load(expiry + GRACE + SECOND)
    assert "expired" in register.reference_fault
    assert "reference-substances.json" in register.reference
    assert not at_time(register, NOW).reference_fault
    holder.put("members/kaz/member.json", holder.documents["members/kaz/member.json"], role="federation.reference")
    register = holder.load()
    assert "another role's" in register.reference_fault
    assert set(register.members) == set(MEMBERS)


@pytest.mark.parametrize("part", ["timestamp", "snapshot", "top", "root"])
def test_an_expiry_further_away_than_a_life_is_refused(holder: Holder, part: str) -> None:
    """Who could sign for years at once could freeze the register for years; ten minutes are for clocks."""
    expiry = NOW + (timedelta(days=1) if part == "timestamp" else timedelta(days=366)) + timedelta(minutes=10)
    for allowed, moment in ((True, expiry), (False, expiry + SECOND)):
        other = holder.copy()
        if part == "root":
            other.rotate_root(lambda root, moment=moment: setattr(root, "expires", moment))  # type: ignore[misc]
        else:
            getattr(other, part).expires = moment
        if allowed:
            other.load()
        else:
            assert "later than it may" in refused("register_invalid", other.load)
            other.load(None)


def test_a_member_that_signs_for_years_is_at_fault_itself(holder: Holder) -> None:
    """Its role counts again once its expiry is near enough."""
    holder.live_long().roles["kaz"].expires = expiry = NOW + timedelta(days=380)
    assert "later than it may" in holder.load().unusable["kaz"]
    assert "kaz" in at_time(holder.load(None), expiry - timedelta(days=366)).members


def b64(data: bytes) -> str:
    """Write base64."""
    return base64.b64encode(data).decode()


# The neutral point, under which everything is signed.
SMALL_ORDER_VKEY = notes.format_vkey(
    "kaz.paiza.example/log/1",
    notes.key_id("kaz.paiza.example/log/1", notes.ED25519, (1).to_bytes(32, "little")),
    notes.ED25519,
    (1).to_bytes(32, "little"),
)
MEMBER_EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another id": lambda d: d.update(id="tjk"),
    "no id": lambda d: d.pop("id"),
    "another format": lambda d: d.update(format=2),
    "no format": lambda d: d.pop("format"),
    "format true": lambda d: d.update(format=True),
    "no names": lambda d: d.pop("names"),
    "one language": lambda d: d["names"].pop("ru"),
    "an empty name": lambda d: d["names"].update(en=""),
    "a long name": lambda d: d["names"].update(en="x" * 301),
    "a name that steers a terminal": lambda d: d["names"].update(en="x\x9b2J"),
    "a name that turns the direction": lambda d: d["names"].update(en="x\u202ey"),
    "half of a character in a name": lambda d: d["names"].update(en="\ud800"),
    "a CA that is none": lambda d: d["node_cas"][0].update(certificate=b64(b"no")),
    "a CA in wrong base64": lambda d: d["node_cas"][0].update(certificate="!!!!"),
    "the officer CA as node CA": lambda d: d.update(node_cas=d["officer_cas"]),
    "no endpoints": lambda d: d.update(endpoints=[]),
    "an endpoint without port": lambda d: d.update(endpoints=[{"address": "127.0.0.1"}]),
    "an endpoint with port 0": lambda d: d.update(endpoints=[{"address": "127.0.0.1:0"}]),
    "an endpoint with port 70000": lambda d: d.update(endpoints=[{"address": "127.0.0.1:70000"}]),
    "an endpoint with a scheme": lambda d: d.update(endpoints=[{"address": "http://x:1"}]),
    "an endpoint that is a text": lambda d: d.update(endpoints=["127.0.0.1:7401"]),
    "too many endpoints": lambda d: d.update(endpoints=d["endpoints"] * 33),
    "no log key": lambda d: d.update(log_keys=[]),
    "another member's log": lambda d: d["log_keys"][0].update(origin="tjk.paiza.example/log/1"),
    "another origin in the vkey": lambda d: d["log_keys"][0].update(origin="kaz.paiza.example/log/2"),
    "a vkey that is none": lambda d: d["log_keys"][0].update(vkey="kaz.paiza.example/log/1+00000000+AAAA"),
    "one log key twice": lambda d: d.update(log_keys=d["log_keys"] * 2),
    "a log key that ends at no time": lambda d: d["log_keys"][0].update(until="2027-02-30T00:00:00Z"),
    "a log key that ends without zone": lambda d: d["log_keys"][0].update(until="2027-02-03T00:00:00"),
    "a log key that ends at nothing": lambda d: d["log_keys"][0].update(until=None),
    "a witness key that ends in words": lambda d: d["witness_keys"][0].update(until="~"),
    "a witness key that ends in a fraction": lambda d: d["witness_keys"][0].update(until="2027-02-03T00:00:00.5Z"),
    "a second key of small order": lambda d: d["log_keys"].append(
        {"origin": "kaz.paiza.example/log/1", "vkey": SMALL_ORDER_VKEY}
    ),
    "no encryption key": lambda d: d.update(encryption_keys=[]),
    "another key id": lambda d: d["encryption_keys"][0].update(key_id="0" * 64),
    "a key id in capitals": lambda d: d["encryption_keys"][0].update(key_id=d["encryption_keys"][0]["key_id"].upper()),
    "a short key": lambda d: d["encryption_keys"][0].update(public_key=b64(bytes(32))),
    "a key that is none": lambda d: d["encryption_keys"][0].update(public_key=b64(b"\xff" * 1216)),
    "a time without zone": lambda d: d["encryption_keys"][0].update(not_after="2027-01-01T00:00:00"),
    "a time that is none": lambda d: d["encryption_keys"][0].update(not_after="2027-02-30T00:00:00Z"),
    "times reversed": lambda d: d["encryption_keys"][0].update(not_after="2020-01-01T00:00:00Z"),
    "a ceiling that is a text": lambda d: d.update(classification_ceiling="1"),
    "a ceiling below zero": lambda d: d.update(classification_ceiling=-1),
    "a ceiling with a fraction": lambda d: d.update(classification_ceiling=1.0),
}
FEDERATION_EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no name": lambda d: d.pop("name"),
    "a name in capitals": lambda d: d.update(name="Paiza.Example"),
    "another name than the CAs'": lambda d: d.update(name="other.example"),
    "a status that is none": lambda d: d["members"]["kaz"].update(status="retired"),
    "no status": lambda d: d["members"].update(kaz={}),
    "members that are a list": lambda d: d.update(members=["kaz", "tjk", "centre"]),
    "a legal base without Russian": lambda d: d["legal_bases"].update(x={"en": "x"}),
    "a legal base with an odd code": lambda d: d["legal_bases"].update({"X Y": {"en": "x", "ru": "x"}}),
}
SIGNER_EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no custodians": lambda d: d.pop("custodians"),
    "no publishers": lambda d: d.update(publishers=[]),
    "a custodian less": lambda d: d["custodians"].pop(),
    "a publisher less": lambda d: d["publishers"].pop(),
    "a custodian twice": lambda d: d["custodians"].append(d["custodians"][0]),
    "a member with the custodian of another": lambda d: d["custodians"][0].update(key=d["custodians"][1]["key"]),
    "a custodian of a stranger": lambda d: d["custodians"][0].update(member="uzb"),
    "a publisher's key as a custodian's": lambda d: d["custodians"][0].update(key=d["publishers"][0]["key"]),
    "another key of the reference data": lambda d: d["reference"][0].update(key=d["custodians"][0]["key"]),
    "a key id in capitals": lambda d: d["custodians"][0].update(key=d["custodians"][0]["key"].upper()),
}
REVOKED_EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no list": lambda d: d.pop("certificates"),
    "no key": lambda d: d["certificates"].append({"certificate_sha256": "0" * 64}),
    "a short hash": lambda d: d["certificates"].append({"certificate_sha256": "00", "key_sha256": "0" * 64}),
}
OWN_EDITS = [
    *(("members/kaz/member.json", name, edit) for name, edit in MEMBER_EDITS.items()),
    *(("members/kaz/revoked.json", name, edit) for name, edit in REVOKED_EDITS.items()),
]


@pytest.mark.parametrize("edit", FEDERATION_EDITS.values(), ids=FEDERATION_EDITS)
def test_a_shared_document_that_is_not_well_formed_is_refused(
    holder: Holder, edit: Callable[[dict[str, Any]], object]
) -> None:
    """One wrong field in federation.json, though properly signed, refuses the set."""
    holder.edit("federation.json", edit)
    refused("register_invalid", holder.load)


@pytest.mark.parametrize(
    ("path", "edit"), [(path, edit) for path, _, edit in OWN_EDITS], ids=[name for _, name, _ in OWN_EDITS]
)
def test_a_document_that_is_not_well_formed_is_its_members_fault(
    holder: Holder, path: str, edit: Callable[[dict[str, Any]], object]
) -> None:
    """One wrong field that a member signed makes it unusable; everyone else goes on."""
    holder.edit(path, edit)
    register = holder.load()
    assert set(register.unusable) == {"kaz"}
    assert path in register.unusable["kaz"]
    assert {member.id for member in register.active_members()} == {"tjk", "centre"}


NO_JSON = [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"format":1,"format":1}', b'{"format":NaN}']


@pytest.mark.parametrize("data", NO_JSON)
@pytest.mark.parametrize("path", ["federation.json", "members/kaz/member.json", "members/kaz/revoked.json"])
def test_a_document_that_is_not_json_is_refused(holder: Holder, path: str, data: bytes) -> None:
    """Each file is one JSON object with every key once, or its owner has none."""
    holder.put(path, data)
    if path == "federation.json":
        refused("register_invalid", holder.load)
    else:
        assert set(holder.load().unusable) == {"kaz"}


@pytest.mark.parametrize("edit", SIGNER_EDITS.values(), ids=SIGNER_EDITS)
def test_federation_json_names_whose_keys_sign(holder: Holder, edit: Callable[[dict[str, Any]], object]) -> None:
    """Custodians, publishers and holders of the reference data are exactly those whose keys sign, each once."""
    holder.edit("federation.json", edit)
    refused_by_both(holder)


def test_a_suspended_member_needs_no_custodian(holder: Holder) -> None:
    """With its suspension a member's custodian and publisher may go; what it signed itself stays."""
    old = holder.signers["root"][1].public_key.keyid

    def remove(root: Root) -> None:
        for role in ("root", "targets"):
            root.revoke_key(old, role)

    def suspend(document: dict[str, Any]) -> None:
        document["members"]["tjk"]["status"] = "suspended"
        document["custodians"] = [each for each in document["custodians"] if each["member"] != "tjk"]

    holder.rotate_root(remove)
    holder.signers["root"] = holder.signers["targets"] = [*holder.signers["root"][:1], *holder.signers["root"][2:]]
    assert "other keys of root" in refused_by_both(holder)
    holder.edit("federation.json", suspend)
    assert [member.id for member in holder.load().active_members()] == ["centre", "kaz"]


def test_a_missing_document_is_refused(holder: Holder) -> None:
    """federation.json must be vouched for, and member.json and revoked.json of each member that is to speak."""
    for path in ("members/kaz/revoked.json", "members/kaz/member.json"):
        other = holder.copy()
        del other.roles[roles.role_of(path) or ""].targets[path]
        assert path in unusable_for_both(other, "kaz")
    del holder.top.targets["federation.json"]
    assert "federation.json" in refused_by_both(holder)


def test_unknown_fields_and_files_are_ignored(holder: Holder) -> None:
    """A later version may add fields to a document and files to the register."""
    holder.edit("members/kaz/member.json", lambda document: document.update(later="x"))
    holder.put("members/kaz/profile.json", b"{}")
    holder.put("reference-substances.json", b"{}")
    assert set(holder.load().members) == set(MEMBERS)


def test_metadata_of_another_type_is_refused(holder: Holder) -> None:
    """A targets file where the timestamp should be is refused, even if the timestamp's key signed it."""
    files = holder.files()
    files["metadata/timestamp.json"] = holder.sign("timestamp", Targets(1, expires=NOW + timedelta(days=1)))
    refused("register_invalid", lambda: load_set(files, holder.bootstrap, NOW))


PIN_EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a log not pinned": lambda d: d["log_keys"].pop(0),
    "a witness not pinned": lambda d: d["witness_keys"].pop(0),
    "another log key": lambda d: d["log_keys"][0].update(vkey_sha256="0" * 64),
    "another witness key": lambda d: d["witness_keys"][0].update(vkey_sha256="0" * 64),
    "a log key under another log": lambda d: d["log_keys"][0].update(origin="kaz.paiza.example/log/2"),
    "a log key pinned for a witness": lambda d: d["witness_keys"][0].update(
        vkey_sha256=d["log_keys"][0]["vkey_sha256"]
    ),
}


@pytest.mark.parametrize("edit", PIN_EDITS.values(), ids=PIN_EDITS)
def test_each_key_of_a_log_or_witness_is_pinned(holder: Holder, edit: Callable[[dict[str, Any]], object]) -> None:
    """A member with no key that federation.json pins under its name, or without one that is pinned, is at fault."""
    holder.edit("federation.json", edit)
    assert "keys hold no key" in unusable_for_both(holder, "kaz")


@pytest.mark.parametrize("kind", ["log", "witness"])
def test_a_key_that_is_not_admitted_does_not_count(holder: Holder, kind: str) -> None:
    """A member may name its next key before the custodians pin it: any publisher could part the two."""
    name = f"kaz.paiza.example/{kind}/2"
    vkey = new_log(name) if kind == "log" else new_witness(name)
    entry = {"origin" if kind == "log" else "name": name, "vkey": vkey}
    holder.edit("members/kaz/member.json", lambda d: d[f"{kind}_keys"].append(entry))
    register = holder.load()
    theirs = second_verifier().Register(holder.files(), holder.bootstrap)
    assert set(theirs.cas) == set(register.members) == set(MEMBERS)
    assert len(register.member("kaz").log_keys) == len(register.member("kaz").witness_keys) == 1
    assert len(theirs.log_keys) == len(theirs.witness_keys) == len(MEMBERS)
    holder.edit("federation.json", lambda d: d[f"{kind}_keys"].append(pin("origin" if kind == "log" else "name", vkey)))
    admitted = holder.load().member("kaz")
    assert len(admitted.log_keys) + len(admitted.witness_keys) == 3


def test_no_pins_leave_nobody_to_speak(holder: Holder) -> None:
    """The lists of pins must be there, and one that is empty leaves no member whose keys count."""
    holder.edit("federation.json", lambda d: d.update(witness_keys=[]))
    assert set(holder.load().unusable) == set(MEMBERS)
    assert not second_verifier().Register(holder.files(), holder.bootstrap).cas
    holder.edit("federation.json", lambda d: d.pop("log_keys"))
    refused("register_invalid", holder.load)


@pytest.mark.parametrize("kind", ["log", "witness"])
def test_a_dropped_key_is_its_members_fault(holder: Holder, kind: str) -> None:
    """Every key that was ever admitted stays in member.json: from the set alone each reader sees one dropped."""
    label, name = ("origin", "kaz.paiza.example/log/2") if kind == "log" else ("name", "kaz.paiza.example/witness/2")
    holder.edit("federation.json", lambda d: d[f"{kind}_keys"].append({label: name, "vkey_sha256": "1" * 64}))
    assert f"lack a key of {name}" in unusable_for_both(holder, "kaz")


@pytest.mark.parametrize("name", ["kaz.other.example/log/3", "Kaz.paiza.example/log/3", "kaz.paiza.example/log/0", "x"])
def test_a_pin_names_a_log_of_the_federation(holder: Holder, name: str) -> None:
    """A pin under a name that no log of the federation can have is refused, and so is one that stands twice."""
    twice = holder.copy()
    holder.edit("federation.json", lambda d: d["log_keys"].append({"origin": name, "vkey_sha256": "0" * 64}))
    refused("register_invalid", holder.load)
    capitals = twice.copy()
    capitals.edit("federation.json", lambda d: d["log_keys"][0].update(vkey_sha256="A" * 64))
    refused("register_invalid", capitals.load)
    twice.edit("federation.json", lambda d: d["log_keys"].append(d["log_keys"][0]))
    assert "twice" in refused("register_invalid", twice.load)


def test_keys_of_logs_and_witnesses_are_listed_without_bound(holder: Holder) -> None:
    """Hundreds of keys of one member, and pins of thousands of members long gone, are read by both verifiers."""
    logs = [new_log(f"kaz.paiza.example/log/{number}") for number in range(2, 200)]
    former = [
        {"origin": f"gone.paiza.example/log/{number}", "vkey_sha256": f"{number:064x}"} for number in range(1, 5000)
    ]

    def admit(document: dict[str, Any]) -> None:
        document["log_keys"] += [*former, *(pin("origin", vkey) for vkey in logs)]

    def name(document: dict[str, Any]) -> None:
        document["log_keys"] += [{"origin": vkey.partition("+")[0], "vkey": vkey} for vkey in logs]

    holder.edit("federation.json", admit)
    holder.edit("members/kaz/member.json", name)
    register = holder.load()
    assert len(register.member("kaz").log_keys) == 199
    assert ("gone.paiza.example/log/7", (7).to_bytes(32, "big")) in register.key_pins
    assert len(second_verifier().Register(holder.files(), holder.bootstrap).log_keys) == len(MEMBERS) + 198


def new_witness(name: str) -> str:
    """Return the verifier key of a new witness."""
    return cosignatures.WitnessSigner.from_private_key(name, keys.generate_mldsa44()).witness_key.to_vkey()


def new_log(origin: str) -> str:
    """Return the verifier key of a new log."""
    return notes.SignerKey.from_ed25519(origin, keys.generate_ed25519()).verifier_key.to_vkey()


def test_no_pin_is_ever_taken_back(holder: Holder) -> None:
    """A version without a pin that was known is refused by those who knew it, also of a member that left."""
    holder.edit(
        "federation.json",
        lambda d: d["log_keys"].append({"origin": "gone.paiza.example/log/1", "vkey_sha256": "7" * 64}),
    )
    known = holder.advance().load()
    holder.edit("federation.json", lambda d: d["log_keys"].pop())
    new = holder.advance().load()
    assert "no longer pinned" in refused("register_rolled_back", lambda: refuse_rollback(known, new))
    refuse_rollback(new, replace(new, key_pins=known.key_pins))


def test_one_log_has_several_keys(holder: Holder) -> None:
    """Each is pinned; the log in use is that of the last, and both verifiers know all of them, with their ends."""
    origin, second = "kaz.paiza.example/log/1", new_log("kaz.paiza.example/log/1")
    holder.edit("members/kaz/member.json", lambda d: d["log_keys"][0].update(until="2027-01-31T00:00:00Z"))
    holder.edit("members/kaz/member.json", lambda d: d["log_keys"].append({"origin": origin, "vkey": second}))
    holder.edit("federation.json", lambda d: d["log_keys"].append(pin("origin", second)))
    kaz = holder.load().member("kaz")
    end = datetime(2027, 1, 31, tzinfo=UTC)
    assert (kaz.origin, kaz.origins) == (origin, (origin,))
    assert [(key.vkey == second, key.until) for key in kaz.log_keys] == [(False, end), (True, None)]
    assert kaz.keys_of_log(origin) == tuple(VerifierKey.from_vkey(key.vkey) for key in kaz.log_keys)
    assert [kaz.log_keys[0].is_abandoned(end + off) for off in (-SECOND, timedelta(0), SECOND)] == [False, True, True]
    assert not kaz.log_keys[1].is_abandoned(datetime.max.replace(tzinfo=UTC))
    theirs = second_verifier().Register(holder.files(), holder.bootstrap)
    assert {until for (name, _), (_, _, until) in theirs.log_keys.items() if name == origin} == {
        "2027-01-31T00:00:00Z",
        "~",
    }


def test_two_keys_of_a_log_with_one_key_id_are_their_members_fault(holder: Holder) -> None:
    """The second key would hide what the first one signed, so a member that names both may not speak."""
    origin = "kaz.paiza.example/log/1"
    vkeys = [SignerKey.from_ed25519(origin, key).verifier_key.to_vkey() for key in TWINS]
    holder.edit("members/kaz/member.json", lambda d: d.update(log_keys=[{"origin": origin, "vkey": v} for v in vkeys]))

    def admit(document: dict[str, Any]) -> None:
        others = [each for each in document["log_keys"] if each["origin"] != origin]
        document["log_keys"] = [*others, *(pin("origin", vkey) for vkey in vkeys)]

    holder.edit("federation.json", admit)
    assert "one key id" in unusable_for_both(holder, "kaz")
