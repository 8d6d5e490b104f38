"""What a custodian reads before signing: every act in plain sentences, in both languages."""

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from paiza_cli.fingerprint_words import fingerprint_words
from paiza_node.__main__ import run as run_node
from paiza_register import load_set
from paiza_register.ceremony import Base
from paiza_register.register_file import RegisterFile
from paiza_trust import carried_files, describe, reference_source
from paiza_trust.key_folder import KeyFolder
from paiza_trust.language import translations
from paiza_wire.identity import keys
from paiza_wire.tlog.cosignatures import WitnessKey
from paiza_wire.tlog.notes import SignerKey
from tests.unit.paiza_trust.ceremony import FEDERATION, trust
from tests.unit.paiza_trust.test_commands import run

Told = Callable[..., tuple[str, str]]


@pytest.fixture
def told(folder: Path) -> Told:
    """Return a function that proposes, lets the others sign and publishes; it returns both languages' sentences."""

    def propose(*arguments: object, signers: str = "kaz tjk", number: int = 1) -> tuple[str, str]:
        file = folder / f"{number + 1}.proposal"
        first, *others = signers.split()
        register = ("--register", folder / f"{number}.register")
        trust("propose", *arguments, *register, "--keys", folder / first / "trust", "--yes", "-o", file)
        for member in others:
            trust("sign", file, "--keys", folder / member / "trust", "--yes")
        trust("publish", file, "--node", folder / "kaz/node", "-o", folder / f"{number + 1}.register")
        act, now = carried_files.proposal(file).act, datetime.now(UTC)
        russian = "\n".join(describe.lines(act, "ru", translations("ru").gettext, now))
        english = "\n".join(describe.lines(act, "en", str, now))
        assert describe.title(act, "en", str) == english.splitlines()[0]
        assert len(russian.splitlines()) == len(english.splitlines())
        return russian, english

    return propose


def test_a_member_more(folder: Path, told: Told) -> None:
    """Its names, address and application, the witnesses that a log then needs, thresholds, and the base's age."""
    russian, english = told("admit", folder / "kgz/kgz.application", "--threshold", 3, signers="kaz tjk uzb")
    assert "Кыргызстан (kgz) войдёт в федерацию; адрес узла: 127.0.0.1:7401" in russian
    assert "Kyrgyzstan (kgz) will belong to the federation, reached at 127.0.0.1:7401" in english
    applied = carried_files.application(folder / "kgz/kgz.application")
    assert fingerprint_words(applied.fingerprint, "ru") in russian
    assert fingerprint_words(applied.fingerprint, "en") in english
    assert "A log will need 3 of 3 witnesses, so far 2 of 2" in english
    assert "3 custodians must sign a change, and no longer 2" in english
    assert "It counts when 2 of the custodians of today and 3 of the 4 afterwards signed." in english
    assert re.search(r"a node signed at [0-9TZ:-]+, \d+ (secs?|mins?) ago", english)
    listed = re.findall(r"^    (\d{4}-\d\d-\d\d)  (.+)$", english, re.MULTILINE)
    ends = {role: date.fromisoformat(day) for day, roles in listed for role in roles.split(", ")}
    founders = [role for member in ("kaz", "tjk", "uzb") for role in (member, f"{member}.node")]
    assert sorted(ends) == sorted(["federation.reference", *founders, "kgz", "kgz.node", "root", "targets"])
    year = (datetime.now(UTC) + timedelta(days=365)).date()
    assert {year - end for end in ends.values()} <= {timedelta(), timedelta(days=1)}, "what was signed before midnight"


def test_the_end_of_a_former_ca_is_shown_to_the_second(told: Told) -> None:
    """Certificates count until then and no longer: a day alone leaves hours open."""
    until = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%dT12:34:56Z}"
    russian, english = told("officer-ca", "kaz", "--until", until, signers="kaz")
    assert f"… {until}" in english
    assert f"… {until}" in russian


def test_two_who_must_always_sign_are_warned(told: Told) -> None:
    """After a removal that leaves two, both must sign every change, and no member can be removed against its will."""
    russian, english = told("remove", "uzb", "--threshold", 2)
    assert "Uzbekistan (uzb) will no longer belong to the federation" in english
    assert "Warning: no custodian may ever be lost" in english
    assert "Warning: no member can be suspended or removed against its will." in english
    assert "нельзя приостановить или исключить против его воли" in russian
    assert "it can be admitted again" in english
    assert "uzb.node" not in english


def test_a_member_suspended_and_back(folder: Path, told: Told) -> None:
    """Nothing is exchanged with it, its evidence holds; its application brings it back."""
    russian, english = told("suspend", "uzb")
    assert "will be suspended: nothing is exchanged with it" in english
    assert "Его прежние сообщения и доказательства сохраняют силу" in russian
    _, english = told("reinstate", folder / "uzb/uzb.application", number=2)
    assert "will be active again" in english
    assert "A log will need 2 of 2 witnesses, so far 1 of 1" in english


def test_another_custodian(folder: Path, told: Told) -> None:
    """The present key decides no longer."""
    for path in (folder / "uzb/trust").glob("custodian-uzb-*"):
        path.unlink()
    names = ("--name-ru", "У", "--name-en", "U", "--keys", folder / "uzb/trust")
    trust("apply", folder / "uzb/node", *names, "-o", folder / "again.application")
    _, english = told("custodian", folder / "again.application")
    assert "U (uzb) will have another custodian's key; the present one decides no longer" in english


def test_another_key_of_a_member_and_of_its_node(folder: Path, told: Told) -> None:
    """Applications that continue what the node knows of its member replace the key of either; nothing else changes."""
    node, own = folder / "uzb/node", folder / "uzb/trust"
    with contextlib.redirect_stdout(io.StringIO()):
        join = ["join", str(folder / "1.register"), "--yes", "--config", str(node / "node.toml")]
        assert run_node(join) == 0
    names = ("--name-ru", "Узбекистан", "--name-en", "Uzbekistan", "--keys", own)
    for path in own.glob("member-uzb-*"):
        path.unlink()
    trust("apply", node, *names, "-o", folder / "member.application")
    russian, english = told("member-key", folder / "member.application")
    assert "Uzbekistan (uzb) will sign with another key what it says about itself" in english
    assert "сменится ключ, которым он подписывает сведения о себе" in russian
    assert " -> " not in english
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_node(["join", str(folder / "2.register"), *join[2:]]) == 0
    for path in (node / "keys").glob("revocations-*"):
        path.unlink()
    KeyFolder(node / "keys", {"passphrase_file": str(folder / "uzb/phrase")}).make_pair("revocations")
    trust("apply", node, *names, "-o", folder / "publisher.application")
    russian, english = told("publisher", folder / "publisher.application", number=2)
    assert "The node of Uzbekistan (uzb) will publish and revoke with other keys" in english
    assert "узел будет публиковать и отзывать другими ключами" in russian


def test_rules_before_and_after(folder: Path, told: Told) -> None:
    """Hours, agreements line by line, and titles of legal bases are told with what held before."""
    agreement = folder / "agreement-x.cedar"
    agreement.write_text('// first\nforbid (principal, action == Paiza::Action::"export", resource);\n')
    options = ("--timestamp-life-hours", 12, "--agreement", agreement, "--legal-base", "new-one=Новое|New")
    russian, english = told("policy", *options)
    assert "A register counts as current for 12 h after a node signed it, and no longer for 24 h." in english
    assert "legal base new-one: - -> New" in english
    assert "правовое основание new-one: - -> Новое" in russian
    assert "The agreement agreement-x.cedar will hold:" in english
    assert '+forbid (principal, action == Paiza::Action::"export", resource);' in english
    agreement.write_text(agreement.read_text().replace("// first", "// second"))
    _, english = told("policy", "--agreement", agreement, "--grace-hours", 0, number=2)
    assert "An expired register is used for 0 h more, and no longer for 48 h." in english
    assert "The agreement agreement-x.cedar will read otherwise:\n    -// first\n    +// second" in english
    _, english = told("policy", "--remove-agreement", "x", "--legal-base", "new-one=", number=3)
    assert "The agreement agreement-x.cedar will no longer hold:" in english
    assert "legal base new-one: New -> -" in english


def test_what_a_member_says_about_itself(folder: Path, told: Told) -> None:
    """One signature is enough, and each field that changes is told as before and after."""
    profile = reference_source.OURS / "members/kaz.toml"
    options = ("--name-en", "Kaz", "--endpoint", "10.0.0.1:7401", "--ceiling", 1, "--member-profile", profile)
    russian, english = told("member", "kaz", *options, signers="kaz")
    assert "name in English: Kazakhstan -> Kaz" in english
    assert "адрес узла: 127.0.0.1:7401 -> 10.0.0.1:7401" in russian
    assert "members/kaz/profile.json: " in english
    assert "It counts with one signature, of: kaz" in english
    file = RegisterFile.read((folder / "2.register").read_bytes())
    register = load_set(file.files, file.first_root, datetime.now(UTC))
    assert register.member("kaz").endpoints == ("10.0.0.1:7401",)
    assert "members/kaz/profile.json" in register.reference


def test_signing_anew_changes_nothing(told: Told) -> None:
    """Root and targets, or one role, live another year; it is told until when they held."""
    _, english = told("resign")
    assert "Root and targets will be signed anew for another year" in english
    russian, english = told("resign", "kaz", signers="kaz", number=2)
    assert "kaz will be signed anew for another year; nothing in it changes" in english
    assert "содержание не меняется" in russian


def test_reference_data_by_records(folder: Path, told: Told) -> None:
    """Of reference data the numbers of records that come and go are told."""
    source = folder / "reference"
    shutil.copytree(reference_source.OURS, source)
    points = source / "border-points.csv"
    points.write_text("\n".join(points.read_text().splitlines()[:-1]) + "\n")
    _, english = told("reference", source, signers="kaz")
    assert "The reference data will change: 1 files" in english
    assert "reference-border-points.json: points " in english
    assert "(+0, -1)" in english
    _, english = told("reference-holder", folder / "kaz/kaz.application", folder / "tjk/tjk.application", number=2)
    assert "The data officer of Tajikistan (tjk) will sign the reference data" in english
    assert "So far the reference data are signed by: kaz" in english
    assert "One more signature is needed, with the key for federation.reference, of: kaz, tjk" in english


def test_the_next_log_and_witness(folder: Path, told: Told) -> None:
    """The key's fingerprint is told, and what to ask before signing."""
    further = SignerKey.from_ed25519(f"kaz.{FEDERATION}/log/1", keys.generate_ed25519()).verifier_key.to_vkey()
    russian, english = told("log-key", further, "--until", "2099-01-31T00:00:00Z")
    assert f"will sign its log kaz.{FEDERATION}/log/1 with another key too" in english
    assert "What the former key alone signs from 2099-01-31T00:00:00Z on is refused" in english
    assert "подписанное им раньше остаётся доказанным" in russian
    log = SignerKey.from_ed25519(f"kaz.{FEDERATION}/log/2", keys.generate_ed25519()).verifier_key.to_vkey()
    russian, english = told("log-origin", log, number=2)
    assert f"will have the log kaz.{FEDERATION}/log/2; nothing more is added to the one before it" in english
    assert "действительно ли утрачен прежний журнал" in russian
    assert "One more signature is needed, with the key for kaz, of: kaz" in english
    name = f"kaz.{FEDERATION}/witness/2"
    public = keys.generate_mldsa44().public_key().public_bytes_raw()
    witness = WitnessKey.from_public_key(name, public).to_vkey()
    _, english = told("witness", witness, "--stolen", number=3)
    assert f"will have the witness {name}, beside those before it" in english
    base = Base.verify(RegisterFile.read((folder / "4.register").read_bytes()), None)
    kaz = base.register.member("kaz")
    assert [key.name for key in kaz.witness_keys][-1] == name
    assert [key.until is None for key in kaz.log_keys] == [False, True, True]
    assert [key.until is None for key in kaz.witness_keys] == [False, True]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("policy",), 3, "conflict"),
        (("policy", "--legal-base", "x"), 2, "usage"),
        (("policy", "--legal-base", "x=one title"), 2, "usage"),
        (("policy", "--agreement", "{folder}/none"), 4, "file_unreadable"),
        (("policy", "--agreement", "{folder}/1.register"), 3, "malformed"),
        (("policy", "--remove-agreement", "none"), 3, "conflict"),
        (("policy", "--grace-hours", "169"), 2, "usage"),
        (("member", "kgz", "--name-en", "x"), 3, "unknown_member"),
        (("member", "kaz", "--endpoint", "nowhere"), 3, "malformed"),
        (("member", "kaz", "--member-profile", "{folder}/none"), 4, "file_unreadable"),
        (("resign", "nobody"), 3, "unknown_member"),
        (("reference", "{folder}/none"), 4, "file_unreadable"),
        (("log-origin", "no key"), 3, "unknown_member"),
        (("custodian",), 2, "usage"),
        (("admit", "{folder}/1.register"), 3, "malformed"),
        (("suspend", "uzb", "--register", "{folder}/kgz/kgz.application"), 3, "malformed"),
    ],
)
def test_what_cannot_be_proposed_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, reason: str
) -> None:
    """A wrong option, file or member ends in a reason and an exit code, and nothing is written or signed."""
    given = [each.format(folder=folder) for each in arguments]
    keys_of = ("--keys", folder / "kaz/trust", "--yes", "-o", folder / "b", "--json")
    register = () if "--register" in given else ("--register", folder / "1.register")
    ended, out, err = run(capsys, "propose", *given, *register, *keys_of)
    assert (ended, json.loads(err)["reason"], out) == (code, reason, "")
    assert not (folder / "b").exists()


def test_a_founding_states_its_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How long a register counts as current, and the agreements that hold from the start, are told before signing."""
    agreement = folder / "agreement-x.cedar"
    agreement.write_text("// from the start\n")
    applications = [folder / f"{member}/{member}.application" for member in ("kaz", "tjk", "uzb")]
    rules = ("--timestamp-life-hours", 6, "--grace-hours", 12, "--agreement", agreement, "--threshold", 2)
    code, out, _ = run(capsys, "found", FEDERATION, *applications, *rules, "-o", folder / "other.proposal")
    assert code == 0
    assert "A register counts as current for 6 h after a node signed it; after that it is used for 12 h." in out
    assert "The agreement agreement-x.cedar will hold:" in out
    assert "+// from the start" in out


def test_an_application_states_the_members_practice(folder: Path) -> None:
    """Profile and liaison officers of a member come with its application."""
    names = ("--name-ru", "У", "--name-en", "U", "--keys", folder / "uzb/trust")
    profile = ("--member-profile", reference_source.OURS / "members/uzb.toml")
    trust("apply", folder / "uzb/node", *names, *profile, "-o", folder / "again.application")
    assert "members/uzb/profile.json" in carried_files.application(folder / "again.application").files
