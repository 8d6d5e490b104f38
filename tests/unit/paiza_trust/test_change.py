"""Changes of a register: each by the same proposal, signed by enough custodians of before and after."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_cli.language import LANGUAGES
from paiza_node.__main__ import run as run_node
from paiza_register import Register, carried, load_set
from paiza_register.ceremony import Base
from paiza_register.ceremony.application import Application, Known
from paiza_register.ceremony.change import SUSPEND
from paiza_register.ceremony.change import change as propose_change
from paiza_register.ceremony.federation_file import to_json
from paiza_register.ceremony.proposal import Proposal
from paiza_register.documents import FORMAT
from paiza_register.open_set import OpenSet
from paiza_register.publishing import published, renewed
from paiza_register.register_file import RegisterFile
from paiza_register.succession import refuse_rollback
from paiza_trust import apply, carried_files, signing
from paiza_trust.apply import NodeFolder
from paiza_trust.cli import deciding
from paiza_trust.errors import TrustError
from paiza_trust.key_folder import KeyFolder
from paiza_wire.errors import Unavailable
from paiza_wire.identity.private_keys import MLDSA44
from tests.unit.paiza_trust.ceremony import FOUNDERS, propose, trust
from tests.unit.paiza_trust.test_commands import run


def application(folder: Path, member: str) -> Path:
    """Name a member's application."""
    return folder / member / f"{member}.application"


def proposed(folder: Path, number: int, signers: str, *arguments: object) -> Path:
    """Propose a change of the register of this number; the first signer proposes, the others sign."""
    first, *others = signers.split()
    file = folder / f"{number + 1}.proposal"
    base = ("--register", folder / f"{number}.register", "--yes")
    trust("propose", *arguments, *base, "--keys", folder / first / "trust", "-o", file)
    for member in others:
        trust("sign", file, "--keys", folder / member / "trust", "--yes")
    return file


def read(folder: Path, number: int) -> Register:
    """Verify the register of this number."""
    file = RegisterFile.read((folder / f"{number}.register").read_bytes())
    return load_set(file.files, file.first_root, datetime.now(UTC))


def changed(folder: Path, number: int, signers: str, *arguments: object, publisher: str = "kaz") -> Register:
    """Change the register of this number and publish the next; return it, which no reader takes for a rollback."""
    file = proposed(folder, number, signers, *arguments)
    trust("publish", file, "--node", folder / publisher / "node", "-o", folder / f"{number + 1}.register")
    after = read(folder, number + 1)
    refuse_rollback(read(folder, number), after)
    return after


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must be refused; return the reason."""
    code, _, err = run(capsys, *arguments, "--json")
    assert code in {3, 4}, err
    return str(json.loads(err)["reason"])


@pytest.mark.parametrize("number", [0, 1, 3, 4])
def test_a_refused_threshold_names_those_that_are_allowed(
    folder: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """The remedy of `propose threshold` has the numbers, for no file is at fault."""
    base = ("--register", folder / "1.register", "--yes", "--keys", folder / "kaz/trust")
    _, _, err = run(capsys, "propose", "threshold", number, *base, "-o", folder / "refused.proposal", "--json")
    error = json.loads(err)
    assert (error["reason"], error["what"]) == ("malformed", f"The threshold {number} is not allowed")
    assert error["remedy"].startswith("Allowed with 3 custodians: 2.")


def test_a_member_through_its_whole_life(folder: Path) -> None:
    """A fourth member is admitted, one is suspended, back again with its application, and gone for good."""
    after = changed(folder, 1, "kaz tjk uzb", "admit", application(folder, "kgz"), "--threshold", 3)
    assert [member.id for member in after.active_members()] == ["kaz", "kgz", "tjk", "uzb"]
    join = ["join", str(folder / "2.register"), "--yes", "--config", str(folder / "kgz/node/node.toml")]
    assert run_node(join) == 0
    after = changed(folder, 2, "tjk kgz kaz", "suspend", "uzb", "--threshold", 2, publisher="kgz")
    assert after.member("uzb").status == "suspended"
    after = changed(folder, 3, "kgz tjk kaz", "reinstate", application(folder, "uzb"), "--threshold", 3)
    assert after.member("uzb").status == "active"
    after = changed(folder, 4, "kaz tjk kgz", "remove", "uzb", "--threshold", 2, publisher="tjk")
    assert [member.id for member in after.active_members()] == ["kaz", "kgz", "tjk"]
    assert after.key_pins == read(folder, 2).key_pins
    assert run_node([*join[:1], str(folder / "5.register"), *join[2:]]) == 0
    digests = json.loads((folder / "kgz/node/root-digests.json").read_bytes())
    assert digests["newest_root"]["version"] == 5


def test_revocations_begin_anew_under_a_new_pair_if_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application continues the list that a thief filled, unless the trust officer says otherwise."""
    node, path = folder / "uzb/node", "members/uzb/revoked.json"
    assert run_node(["join", str(folder / "1.register"), "--yes", "--config", str(node / "node.toml")]) == 0
    known_of, invented = apply._known, {"certificate_sha256": "1" * 64, "key_sha256": "2" * 64}
    filled = to_json({"format": FORMAT, "certificates": [invented]})

    def known(opened: NodeFolder) -> Known:
        found = known_of(opened)
        assert found is not None
        return replace(found, files={**found.files, path: filled})

    monkeypatch.setattr(apply, "_known", known)
    names = ("--name-ru", "uzb", "--name-en", "uzb", "--keys", folder / "uzb/trust")
    for number, (option, count) in enumerate([((), 2), (("--revocations-anew",), 0)]):
        file = folder / f"uzb-{number}.application"
        trust("apply", node, *names, *option, "-o", file)
        assert len(Application.read(file.read_bytes()).own.authority.revoked) == count


def test_a_removed_member_applies_again(folder: Path) -> None:
    """What its node's archive knows of it is continued: versions, keys of logs and witnesses, revocations."""
    changed(folder, 1, "kaz tjk uzb", "admit", application(folder, "kgz"), "--threshold", 3)
    settings = ["--yes", "--config", str(folder / "uzb/node/node.toml")]
    assert run_node(["join", str(folder / "2.register"), *settings]) == 0
    known = changed(folder, 2, "kaz tjk kgz", "remove", "uzb", "--threshold", 2)
    again = folder / "uzb.application"
    names = ("--name-ru", "У", "--name-en", "U", "--keys", folder / "uzb/trust")
    trust("apply", folder / "uzb/node", *names, "-o", again)
    after = changed(folder, 3, "kaz tjk kgz", "admit", again, "--threshold", 3)
    assert after.member("uzb").names["en"] == "U"
    assert after.role_versions["uzb"] == known.role_versions["uzb"] + 1
    assert after.key_pins == known.key_pins


@pytest.mark.parametrize("change", [("suspend", "uzb"), ("policy", "--grace-hours", "72")])
def test_a_published_file_names_the_nodes_that_join_with_it(folder: Path, change: tuple[str, ...]) -> None:
    """One node and a new member's, where the others are in the federation already; also if the first root stays."""
    file = proposed(folder, 1, "kaz tjk", *change)
    out = trust("publish", file, "--node", folder / "kaz/node", "-o", folder / "2.register")
    assert "One node, stopped for it, and a new member's node join with it" in out


def test_a_custodian_gets_another_key(folder: Path) -> None:
    """A member that signs its application with its own key replaces its custodian's; the old key decides no longer."""
    for path in (folder / "uzb/trust").glob("custodian-uzb-*"):
        path.unlink()
    again = folder / "uzb.application"
    names = ("--name-ru", "У", "--name-en", "U", "--keys", folder / "uzb/trust")
    trust("apply", folder / "uzb/node", *names, "-o", again)
    changed(folder, 1, "kaz tjk", "custodian", again)
    assert changed(folder, 2, "uzb kaz", "suspend", "tjk").member("tjk").status == "suspended"


def test_a_folder_without_a_key_that_may_sign_is_refused_before_the_question(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys that may sign are named; nobody is asked whether to sign what they cannot."""
    monkeypatch.setattr(deciding, "confirm", lambda *_, **__: pytest.fail("asked"))
    uzb = ("--keys", folder / "uzb/trust", "--json")
    base = ("--register", folder / "1.register", "-o", folder / "a")
    code, _, err = run(capsys, "propose", "resign", "federation.reference", *base, *uzb)
    error = json.loads(err)
    assert (code, error["reason"], error["where"]) == (3, "file_unreadable", str(folder / "uzb/trust"))
    assert "reference-" in error["what"]
    assert "reference-uzb" not in error["what"]
    file = proposed(folder, 1, "kaz", "suspend", "uzb")
    for command in ("sign", "refuse"):
        code, _, err = run(capsys, command, file, "--keys", folder / "kgz/trust", "--json")
        assert json.loads(err)["reason"] == "file_unreadable"
        assert "custodian-kaz, custodian-tjk, custodian-uzb" in json.loads(err)["what"]


def test_a_change_needs_the_custodians_of_before_and_after(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Too few of the old, or of the new threshold, publish nothing; the new member alone cannot help the old ones."""
    file = proposed(folder, 1, "kaz tjk", "admit", application(folder, "kgz"), "--threshold", 3)
    publish = ("publish", file, "--node", folder / "kaz/node", "-o", folder / "2.register")
    assert refused(capsys, *publish) == "bad_signature"
    trust("sign", file, "--keys", folder / "kgz/trust", "--yes")
    trust(*publish)
    alone = folder / "alone.proposal"
    base = ("--register", folder / "1.register", "--keys", folder / "uzb/trust", "--yes")
    trust("propose", "admit", application(folder, "kgz"), "--threshold", 3, *base, "-o", alone)
    assert refused(capsys, "publish", alone, "--node", folder / "uzb/node", "-o", folder / "r") == "bad_signature"


def test_two_changes_of_one_version_are_signed_by_nobody(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A custodian who signed one next root signs no other of that version."""
    proposed(folder, 1, "kaz", "suspend", "uzb")
    base = ("--register", folder / "1.register", "--keys", folder / "kaz/trust", "--yes")
    assert refused(capsys, "propose", "suspend", "tjk", *base, "-o", folder / "b") == "conflict"
    assert not (folder / "b").exists()


def test_a_refused_proposal_frees_its_version(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only when so many others refuse it that it can never count may a signer sign another content of the version."""
    wrong = proposed(folder, 1, "kaz", "suspend", "uzb")
    base = ("--register", folder / "1.register", "--keys", folder / "kaz/trust", "--yes")
    instead = ("propose", "suspend", "tjk", *base, "--instead", wrong, "-o", folder / "right")
    assert refused(capsys, *instead) == "conflict"
    trust("refuse", wrong, "--keys", folder / "uzb/trust", "--yes")
    assert refused(capsys, *instead) == "conflict"  # kaz and tjk are enough to make it count
    assert refused(capsys, "refuse", wrong, "--keys", folder / "kaz/trust", "--yes") == "conflict"
    trust("refuse", wrong, "--keys", folder / "tjk/trust", "--yes")
    assert refused(capsys, "sign", wrong, "--keys", folder / "tjk/trust", "--yes") == "conflict"
    trust(*instead)
    trust("sign", folder / "right", "--keys", folder / "uzb/trust", "--yes")
    trust("publish", folder / "right", "--node", folder / "kaz/node", "-o", folder / "2.register")
    assert read(folder, 2).member("tjk").status == "suspended"
    assert refused(capsys, "sign", wrong, "--keys", folder / "kaz/trust", "--yes") == "conflict"


def test_a_renewed_register_makes_no_other_proposal(folder: Path) -> None:
    """Proposals that build on the register before and after its timestamp was renewed are one and the same."""
    file = RegisterFile.read((folder / "1.register").read_bytes())
    held = OpenSet.verify(file.files, file.first_root, None)
    signer = CryptoSigner(NodeFolder.open(folder / "kaz/node").keys.key("publisher.key", MLDSA44))
    now = datetime.now(UTC) + timedelta(seconds=1)
    anew = RegisterFile(renewed(held, signer, now, held.versions).files)
    bases = [Base.verify(each, None) for each in (file, anew)]
    first, second = (Proposal(propose_change(SUSPEND, base, now, member="uzb")) for base in bases)
    assert first.to_bytes() != second.to_bytes()
    assert first.fingerprint == second.fingerprint
    second = Proposal.read(first.to_bytes(with_register=False), lambda _: bases[1])
    assert second.fingerprint == first.fingerprint
    later = now + timedelta(hours=1)
    fresh = Base.verify(RegisterFile(renewed(held, signer, later, held.versions).files), None)
    third = Proposal.read(first.to_bytes(with_register=False), lambda _: fresh)
    with pytest.raises(TrustError, match="a node signed the register"):
        signing.check_clock(third, now)
    signing.check_clock(third, later)


def test_a_refusal_counts_for_every_way_to_the_same_root(folder: Path) -> None:
    """A proposal that builds on the same content, published anew, makes the same root: a refusal of one is of both."""
    file = RegisterFile.read((folder / "1.register").read_bytes())
    held = OpenSet.verify(file.files, file.first_root, None)
    signer = CryptoSigner(NodeFolder.open(folder / "kaz/node").keys.key("publisher.key", MLDSA44))
    anew = RegisterFile(published(held, {}, signer, datetime.now(UTC), held.versions).files)
    now = datetime.now(UTC) + timedelta(seconds=1)
    bases = [Base.verify(each, None) for each in (file, anew)]
    first, second = (Proposal(propose_change(SUSPEND, base, now, member="uzb")) for base in bases)
    assert first.fingerprint != second.fingerprint
    keys = KeyFolder(folder / "tjk/trust")
    signing.refuse(keys, signing.find_keys(keys, first), first, now)
    with pytest.raises(TrustError) as caught:
        signing.sign(keys, signing.find_keys(keys, second), second, now)
    assert caught.value.reason == "conflict"


def test_a_forged_refusal_kills_nothing(folder: Path) -> None:
    """A refusal of another proposal, by a stranger, or by one who signed does not count."""
    first = proposed(folder, 1, "kaz", "suspend", "uzb")
    shutil.copytree(folder / "tjk/trust", folder / "tjk/again")
    trust("refuse", first, "--keys", folder / "tjk/trust", "--yes")
    values = json.loads(first.read_bytes())
    (keyid, made), *_ = values["refusals"].items()
    wrong: object
    for wrong in ({"0" * 64: made}, {keyid: made[:-2] + "00"}, {keyid: values["signatures"]["root"].popitem()[1]}, []):
        first.write_bytes(carried.canonical({**json.loads(first.read_bytes()), "refusals": wrong}))
        with pytest.raises(TrustError):
            carried_files.proposal(first)
        first.write_bytes(carried.canonical({**json.loads(first.read_bytes()), "refusals": {keyid: made}}))
    trust("sign", first, "--keys", folder / "tjk/again", "--yes")  # a copy of the keys that forgot the refusal
    trust("refuse", first, "--keys", folder / "uzb/trust", "--yes")
    assert carried_files.proposal(first).is_dead is False


def test_another_register_of_the_same_name_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who signed the first root of a federation signs no change of another one that calls itself the same."""
    other = folder / "other"
    other.mkdir()
    applications = [application(folder, member) for member in FOUNDERS]
    proposal = propose(other, *applications)
    for member in FOUNDERS:
        shutil.copytree(folder / member / "trust", other / member / "trust")
        (other / member / "trust/signed.json").unlink()
        trust("sign", proposal, "--keys", other / member / "trust", "--yes")
    trust("publish", proposal, "--node", folder / "kaz/node", "-o", other / "1.register")
    base = ("--register", other / "1.register", "--keys", folder / "kaz/trust", "--yes")
    assert refused(capsys, "propose", "suspend", "uzb", *base, "-o", folder / "b") == "conflict"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("admit", "kaz"), "conflict"),
        (("admit", "kgz"), "malformed"),  # 2 of 4 is no majority
        (("suspend", "kaz"), "conflict"),  # it publishes the reference data
        (("suspend", "kgz"), "unknown_member"),
        (("remove", "kgz"), "unknown_member"),
        (("reinstate", "tjk"), "conflict"),
        (("custodian", "kgz"), "unknown_member"),
        (("threshold", "2"), "conflict"),
        (("threshold", "1"), "malformed"),
        (("threshold", "3"), "malformed"),
        (("suspend", ""), "malformed"),
    ],
)
def test_what_the_register_does_not_allow_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[Any, ...], reason: str
) -> None:
    """A change that contradicts the register, or leaves no working threshold, is not proposed."""
    what, about, *more = arguments
    subject = application(folder, about) if what in {"admit", "reinstate", "custodian"} else about
    base = ("--register", folder / "1.register", "--keys", folder / "tjk/trust", "--yes", "-o", folder / "b")
    assert refused(capsys, "propose", what, subject, *more, *base) == reason
    assert not (folder / "b").exists()
    assert "root 2" not in (folder / "tjk/trust/signed.json").read_text()


@pytest.mark.parametrize(
    "change",
    [
        lambda act: act.update(what="remove"),
        lambda act: act.update(member="kaz"),
        lambda act: act.update(threshold=1),
        lambda act: act.update(time="2020-01-01T00:00:00Z"),
        lambda act: act.update(base={}),
        lambda act: act.update(applications=["x"]),
        lambda act: act.update(more=""),
    ],
)
def test_a_signed_change_cannot_be_changed(folder: Path, change: Callable[[Any], object]) -> None:
    """Any change of what was signed makes the file no proposal."""
    file = proposed(folder, 1, "kaz", "suspend", "uzb")
    values = json.loads(file.read_bytes())
    change(values["act"])
    file.write_bytes(carried.canonical(values))
    with pytest.raises(TrustError):
        carried_files.proposal(file)


def test_a_change_is_shown_in_both_languages(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What will be true is said of the member by its names, with the fingerprints to compare."""
    file = proposed(folder, 1, "kaz", "admit", application(folder, "kgz"), "--threshold", 3)
    code, out, _ = run(capsys, "show", file)
    assert code == 0
    fingerprint = carried_files.application(application(folder, "kgz")).fingerprint
    newest = RegisterFile.read((folder / "1.register").read_bytes()).newest_digest
    assert "Кыргызстан" in out
    assert "Kyrgyzstan" in out
    for language in LANGUAGES:
        assert fingerprint_words(fingerprint, language) in out
        assert fingerprint_words(newest, language) in out


def test_files_that_nobody_signed_do_not_travel_on(folder: Path) -> None:
    """What stands beside the verified files of a register is left out of what is made of it."""
    file = RegisterFile.read((folder / "1.register").read_bytes())
    more = RegisterFile({**file.files, "metadata/99.kaz.json": b"{}", "metadata/x.tjk.json": b"", "else": b"x"})
    assert set(Base.verify(more, None).file.files) == set(file.files)


def test_an_expired_register_is_no_base(folder: Path) -> None:
    """Nothing is built on a register that no reader takes any more."""
    file = RegisterFile.read((folder / "1.register").read_bytes())
    with pytest.raises(Unavailable, match="register_expired"):
        propose_change(SUSPEND, Base.verify(file, None), datetime.now(UTC) + timedelta(days=40), member="uzb")
