"""The doctor's lines about the register, in both languages: expiries with who renews them, members, proposals."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from types import SimpleNamespace
from typing import Any, cast

import pytest

from paiza_cli.language import LANGUAGES, Language
from paiza_node.core.access.model import CertificateState, Officer, OfficerCertificate, OfficerState
from paiza_node.features.ceremonies import store as proposals_store
from paiza_node.features.ceremonies.model import HeldProposal, HeldState
from paiza_node.ops import expiries, language, offline
from paiza_node.ops.doctor import register as checks
from paiza_node.ops.doctor.machine import Check, Level
from paiza_node.ops.doctor.peers import check_announced, check_peers
from paiza_node.ops.expiries import Expiry, Kind, Urgency
from paiza_register import Register
from paiza_register.misbehaviour import RootFork
from paiza_trust import dev
from paiza_wire.errors import Unavailable
from paiza_wire.identity import CertificateUse, CertificateVerifier
from tests.registers import read_register
from tests.unit.paiza_node.room import Room

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CYRILLIC = re.compile("[а-яё]")


@pytest.fixture(params=LANGUAGES)
def lang(request: pytest.FixtureRequest) -> Iterator[Language]:
    """Each language in turn."""
    language.use(request.param)
    yield request.param
    language.use("en")


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A federation of three, on disk."""
    folder = tmp_path_factory.mktemp("doctor") / "federation"
    dev.create(folder, ["kaz", "tjk", "uzb"], base_port=20_000)
    return folder


@pytest.fixture
def register(federation: Path) -> Register:
    """Its register."""
    return read_register(federation)


def said(check: Check, lang: Language) -> tuple[Level, str, str, str]:
    """Return the line of a check in words; all of it is in the language in use."""
    name, (what, remedy) = language._(check.name), check.in_words()
    for text in (what, remedy):
        assert "{" not in text
        assert not text or bool(CYRILLIC.search(text)) == (lang == "ru"), text
    return check.level, name, what, remedy


@pytest.mark.parametrize(
    ("left", "level"),
    [(31 * DAY, Level.OK), (29 * DAY, Level.WARN), (6 * DAY, Level.FAIL), (-DAY, Level.FAIL)],
)
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.TIMESTAMP])
def test_every_expiry_names_who_renews_it_and_how(lang: Language, kind: Kind, left: timedelta, level: Level) -> None:
    """From 30 days on a warning, from 7 a failure; the remedy is a command or an act."""
    shown, _name, what, remedy = said(checks.expiry_check(Expiry(kind, "kaz", NOW + left), NOW), lang)
    assert shown is level
    assert language._(checks.RENEWALS[kind].who) in what
    assert bool(remedy) == (level is not Level.OK)
    before, after = {"en": ("Expired", "Expires in"), "ru": ("Срок истёк", "Истекает через")}[lang]
    if level is not Level.OK:
        assert what.startswith(before if left < timedelta(0) else after)
        assert "`paiza-" in remedy


@pytest.mark.parametrize(("hours", "urgency"), [(13, Urgency.LATER), (11, Urgency.SOON), (0, Urgency.NOW)])
def test_the_timestamp_is_judged_by_its_life(lang: Language, hours: int, urgency: Urgency) -> None:
    """It is renewed every hour: half of a day is much."""
    expiry = Expiry(Kind.TIMESTAMP, "", NOW + timedelta(hours=hours), timedelta(hours=24))
    assert expiry.urgency(NOW) is urgency
    level, name, _what, _remedy = said(checks.expiry_check(expiry, NOW), lang)
    assert (level, name) == (Level(urgency), {"en": "timestamp", "ru": "метка времени (timestamp)"}[lang])


def test_the_own_certificate_that_is_revoked_is_named(federation: Path, register: Register, lang: Language) -> None:
    """Nobody accepts the node then; only another key helps."""
    pem = (federation / "nodes/kaz/keys/tls.crt").read_bytes()
    kaz = register.member("kaz")
    authority = replace(kaz.authority, revoked=frozenset({sha256(PEM_cert_to_DER_cert(pem.decode())).digest()}))
    revoked = replace(register, _verifier=CertificateVerifier({"kaz": authority}))
    config: Any = SimpleNamespace(member="kaz")
    before, after = (
        [said(each, lang) for each in checks.check_expiries(config, each, pem, datetime.now(UTC))]
        for each in (register, revoked)
    )
    (line,) = [each for each in after if each not in before]
    assert line[0] is Level.FAIL
    assert "`paiza-node rotate tls`" in line[3]


def test_everything_that_expires_is_listed(federation: Path, register: Register, lang: Language) -> None:
    """Metadata of all, own roles, CAs, certificate and encryption key: one line each."""
    pem = (federation / "nodes/kaz/keys/tls.crt").read_bytes()
    config: Any = SimpleNamespace(member="kaz")
    lines = [said(each, lang) for each in checks.check_expiries(config, register, pem, datetime.now(UTC))]
    names = {
        "en": [
            "timestamp",
            "snapshot",
            "root",
            "targets",
            "reference data",
            "member's files",
            "revocations",
            "node CA",
            "officer CA",
            "encryption key",
            "certificate",
        ],
        "ru": [
            "метка времени (timestamp)",
            "снимок реестра (snapshot)",
            "корень (root)",
            "перечень (targets)",
            "справочные данные",
            "файлы участника",
            "отзывы сертификатов",
            "УЦ узлов",
            "УЦ сотрудников",
            "ключ шифрования",
            "сертификат",
        ],
    }[lang]
    assert [name for _level, name, _what, _remedy in lines] == names
    assert set(expiries.earliest(expiries.member_expiries(register, "tjk"))) == {
        (kind, "tjk") for kind in (Kind.ROLE, Kind.REVOCATIONS, Kind.NODE_CA, Kind.OFFICER_CA, Kind.ENCRYPTION_KEY)
    }


def test_what_others_let_expire_is_shown_within_a_week(register: Register, federation: Path, lang: Language) -> None:
    """With the member's name; it is no failure of this node."""
    pem = (federation / "nodes/kaz/keys/tls.crt").read_bytes()
    config: Any = SimpleNamespace(member="kaz")
    now = datetime.now(UTC)
    for left, expected in ((8 * DAY, None), (6 * DAY + timedelta(hours=1), "tjk: expires"), (-DAY, "tjk: expired")):
        late = replace(register, role_expiries={**register.role_expiries, "tjk": now + left})
        found = [said(each, lang) for each in checks.check_expiries(config, late, pem, now)]
        about = [(level, what) for level, _name, what, _remedy in found if "tjk" in what]
        assert bool(about) == bool(expected)
        if expected is not None:
            assert about[0][0] is Level.WARN
            assert lang == "ru" or expected in about[0][1]


def issued(
    officer: str, ends: datetime, use: CertificateUse = "signing", state: CertificateState = CertificateState.ACTIVE
) -> OfficerCertificate:
    """Return a certificate that ends then."""
    return OfficerCertificate(f"{officer} {use} {ends}".encode(), officer, use, b"", NOW - DAY, ends, state, 0)


def test_officers_whose_certificates_end_are_named(lang: Language) -> None:
    """The newest of a use counts, and the earlier of both uses; a suspended officer needs none."""
    states = {"d": OfficerState.SUSPENDED, "e": OfficerState.UNCONFIRMED}
    both = frozenset({"liaison", "duty"})
    officers = {name: Officer(name, both, "border service", states.get(name, OfficerState.ACTIVE)) for name in "abcde"}
    certificates = [
        issued("a", NOW - 9 * DAY),
        issued("a", NOW + 80 * DAY),
        issued("a", NOW + 80 * DAY, "authentication"),
        issued("b", NOW + 80 * DAY),
        issued("b", NOW + 20 * DAY, "authentication"),
        issued("c", NOW - DAY),
        issued("d", NOW - DAY),
        issued("e", NOW + 80 * DAY, state=CertificateState.ASLEEP),
    ]
    lines = [said(each, lang) for each in checks.officer_checks(officers, certificates, NOW)]
    assert [level for level, *_rest in lines] == [Level.WARN, Level.FAIL, Level.WARN, Level.OK]
    words = [re.findall(r"\b[a-e]\b", what) for _level, _name, what, _remedy in lines[:3]]
    assert words == [["e"], ["c"], ["b"]]
    assert "3" in lines[3][2]
    assert "`paiza-node officer invite b --role duty,liaison --unit 'border service'`" in lines[2][3]


def test_key_of_a_log_expires_only_if_no_other_outlasts_it(register: Register) -> None:
    """A key that is announced to be abandoned is no warning if its successor is announced too."""
    kaz, end = register.member("kaz"), datetime.now(UTC) + 20 * DAY
    log_key, witness_key = kaz.log_keys[-1], kaz.witness_keys[-1]
    for log_keys, witness_keys, kinds in (
        ([log_key], [witness_key], set()),
        ([replace(log_key, until=end), log_key], [replace(witness_key, until=end), witness_key], set()),
        ([replace(log_key, until=end)], [replace(witness_key, until=end)], {Kind.LOG_KEY, Kind.WITNESS_KEY}),
    ):
        ends = replace(kaz, log_keys=tuple(log_keys), witness_keys=tuple(witness_keys))
        late = replace(register, members={**register.members, "kaz": ends})
        found = {each.kind: each.time for each in expiries.member_expiries(late, "kaz")}
        assert found.keys() & {Kind.LOG_KEY, Kind.WITNESS_KEY} == kinds
        assert all(found[kind] == end for kind in kinds)


def test_a_node_without_officers_is_told_how_to_get_one(lang: Language) -> None:
    """Nobody can use it."""
    (line,) = [said(each, lang) for each in checks.officer_checks({}, [], NOW)]
    assert line[0] is Level.WARN
    assert "paiza-node officer invite" in line[3]


def test_officers_on_hold_are_an_alarm_with_its_command(lang: Language) -> None:
    """After a restore nobody acts until an operator confirmed the list; that alone is said first."""
    first, *rest = [said(each, lang) for each in checks.officer_checks({}, [], NOW, ["petrov"])]
    assert first[0] is Level.FAIL
    assert "paiza-node officer confirm --all" in first[3]
    assert [level for level, *_rest in rest] == [Level.OK]


def test_the_age_of_the_register_and_its_publishers(register: Register, lang: Language) -> None:
    """The version, when it was signed, and the order in which nodes publish."""
    ((level, _name, what, _remedy),) = [said(each, lang) for each in checks.check_register(register, datetime.now(UTC))]
    assert level is Level.OK
    assert register.version.hex()[:16] in what
    assert ", ".join(register.publishers) in what
    assert register.published_by
    assert set(register.published_by) <= set(register.publishers)
    assert {"en": "ago by kaz", "ru": "кем: kaz"}[lang] in what


def test_publishers_and_custodians_that_contradict_themselves(register: Register, lang: Language) -> None:
    """Who signed both, where the proof is, and who must act; a key that publishes no longer is only counted."""
    config: Any = SimpleNamespace(data=Path("/srv/paiza"))

    def lines(*keys: str, fork: RootFork | None = None) -> list[tuple[Level, str, str, str]]:
        reader: Any = SimpleNamespace(disqualified=frozenset(keys), fork=fork)
        return [said(each, lang) for each in checks.check_publishers(config, reader, register)]

    assert [level for level, *_rest in lines()] == [Level.OK]
    ((level, _name, what, remedy), *others) = lines(register.publishers["tjk"], "f" * 64)
    assert (level, "tjk" in what) == (Level.FAIL, True)
    assert "/srv/paiza/register/proofs" in remedy
    assert "`paiza-trust propose publisher`" in remedy
    assert [(level, "1" in what) for level, _name, what, _remedy in others] == [(Level.OK, True)]
    fork = RootFork(3, "0" * 64, "1" * 64, ("a", "b"), ("kaz", "uzb"), NOW.isoformat())
    ((level, _name, what, remedy),) = lines(fork=fork)
    assert level is Level.FAIL
    assert "root 2" in what
    assert "kaz, uzb" in what
    assert "/srv/paiza/register/fork" in remedy


def test_the_register_that_the_peers_announce(lang: Language) -> None:
    """One version more may be on its way; two mean that this node cannot fetch, or does not accept, theirs."""
    for announced, level in (({"tjk": 7, "uzb": 5}, Level.OK), ({"tjk": 8, "uzb": 9}, Level.WARN)):
        ((shown, _name, what, _remedy),) = [said(each, lang) for each in check_announced(announced, 6)]
        assert shown is level
        assert "6" in what
        assert ("uzb" in what) == (level is Level.WARN)
    assert not list(check_announced({}, 6))


def test_members_whose_files_cannot_be_used(register: Register, lang: Language) -> None:
    """Our own is a failure; another's a warning with the reason."""
    assert [said(each, lang)[0] for each in checks.check_members(register, "kaz")] == [Level.OK]
    broken = replace(register, unusable={"kaz": "expired", "uzb": "too large"})
    own, other = [said(each, lang) for each in checks.check_members(broken, "kaz")]
    assert (own[0], "expired" in own[2], "`paiza-trust propose member kaz`" in own[3]) == (Level.FAIL, True, True)
    assert (other[0], "uzb" in other[2], "too large" in other[2]) == (Level.WARN, True, True)


def test_the_own_member_is_suspended(register: Register, lang: Language) -> None:
    """One line says who can reinstate it; no peer is called, since every one would refuse."""
    suspended = replace(register, suspended_ids=frozenset({"uzb"}))
    line = said(next(checks.check_members(suspended, "uzb")), lang)
    assert (line[0], "kaz, tjk" in line[3]) == (Level.FAIL, True)
    unused: Any = None
    config: Any = SimpleNamespace(member="uzb")
    assert not [*check_peers(config, suspended, unused, lambda: 0)]
    assert [each.level for each in checks.check_members(suspended, "kaz")] == [Level.OK]


@pytest.mark.parametrize(("age", "level"), [(timedelta(hours=2), Level.OK), (4 * DAY, Level.WARN)])
async def test_proposals_that_wait(database_url: str, lang: Language, age: timedelta, level: Level) -> None:
    """Each with whom it waits for; after three days a warning."""
    config = cast("Any", SimpleNamespace(database=database_url))
    with Room(database_url) as room:
        assert [said(each, lang)[0] for each in checks.check_proposals(config, NOW)] == [Level.OK]
        held = HeldProposal(
            fingerprint=bytes(32),
            kind="admit",
            state=HeldState.OPEN,
            base_register_version=bytes(32),
            base_root_version=1,
            versions=("root=2",),
            signed_sha256=bytes(32),
            alone_key="",
            signed_by=("kaz",),
            refused_by=(),
            waits_for=("tjk", "uzb"),
            missing=1,
            state_sha256=bytes(32),
            size=10,
            received_time=NOW - age,
            changed_time=NOW - age,
            data=b"proposal",
        )
        await room.ledger.commit(lambda tx: proposals_store.put_proposal(tx.conn, held))
        ((shown, _name, what, remedy),) = [said(each, lang) for each in checks.check_proposals(config, NOW)]
    assert shown is level
    assert "admit" in what
    assert "tjk, uzb" in what
    assert bool(remedy) == (level is Level.WARN)


@pytest.mark.parametrize(("reason", "goes_on"), [("register_expired", True), ("register_unavailable", False)])
def test_the_checks_go_on_with_an_expired_register(
    register: Register, monkeypatch: pytest.MonkeyPatch, reason: str, *, goes_on: bool
) -> None:
    """What else is wrong is found also when nothing was renewed; without any register nothing can be checked."""

    def known(_config: object) -> tuple[object, Register]:
        raise Unavailable(reason, "")

    reader: Any = SimpleNamespace(last=register)
    monkeypatch.setattr(offline, "known_register", known)
    monkeypatch.setattr(offline, "open_reader", lambda _config: reader)
    config: Any = None
    if goes_on:
        assert offline.last_register(config) == (reader, register)
    else:
        with pytest.raises(Unavailable, match=reason):
            offline.last_register(config)
