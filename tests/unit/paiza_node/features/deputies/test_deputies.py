"""Deputies at a real store and ledger: who appoints and ends them, when they end by themselves, what is logged."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

import pytest

from paiza.core.v1 import log_pb2
from paiza.officer.v1 import deputy_pb2
from paiza_node.core.access import store as access_store
from paiza_node.core.access.checks import Deputies as DeputiesCheck
from paiza_node.core.access.model import Officer
from paiza_node.core.access.need_to_know import UnitDirectory, open_scope
from paiza_node.core.access.officers import OfficerDirectory
from paiza_node.core.log import store as log_store
from paiza_node.core.storage.findings import Part
from paiza_node.features.deputies.deputies import MOST_STOOD_FOR, Deputies
from paiza_node.features.officers import admit, change
from paiza_node.features.officers.model import Admission
from paiza_wire.errors import Rejected
from tests.unit.paiza_node.office import ACTOR, Office, officer_id

NODE: Final = "spiffe://kaz.paiza.example/node"
OFFICERS: Final = {
    "petrov": ("liaison", "bureau"),
    "head": ("authoriser", "bureau"),
    "other-head": ("authoriser", "desk"),
    "sidorov": ("liaison", "desk"),
    "aliev": ("liaison", "desk"),
}


class Staff:
    """The verbs over an office whose officers are admitted; `restart` reads everything anew."""

    def __init__(self, office: Office) -> None:
        self.office = office
        admissions = [
            Admission(officer_id(name), frozenset({role}), unit, office.pair(name))
            for name, (role, unit) in OFFICERS.items()
        ]
        office.run(lambda tx: admit.admit(tx, admissions, actor=ACTOR))
        self.restart()

    def restart(self) -> None:
        """Begin with what is stored."""
        self.directory = OfficerDirectory(self.office.store, self.office.clock)
        units = UnitDirectory("kaz", "desk", self.directory.officers)
        core: Any = SimpleNamespace(
            node_id=NODE, ledger=self.office.ledger, store=self.office.store, clock=self.office.clock
        )
        self.units = units
        self.deputies = Deputies(core, self.directory, units)

    def officer(self, name: str) -> Officer:
        """Return an officer as they may act now."""
        return self.directory.active(officer_id(name))

    def appoint(self, deputy: str, *, by: str = "petrov", of: str = "", hours: float = 8) -> None:
        """Appoint a deputy."""
        self.office.clock.now += timedelta(seconds=1)
        request = deputy_pb2.AppointDeputyRequest(officer=of, deputy=deputy)
        request.end_time.FromDatetime(self.office.clock.now + timedelta(hours=hours))
        asyncio.run(self.deputies.appoint(self.officer(by), request))

    def end(self, *, by: str, of: str = "") -> None:
        """End an appointment."""
        self.office.clock.now += timedelta(seconds=1)
        asyncio.run(self.deputies.end(self.officer(by), deputy_pb2.EndDeputyRequest(officer=of)))

    def sees(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the units whose messages an officer sees, and whose other messages."""
        viewer = open_scope(self.officer(name))
        return viewer.units or (), tuple(each.rpartition("/")[2] for each in viewer.readers)

    def logged(self) -> list[tuple[str, str]]:
        """Return the entries about deputies with the names beside them."""
        return [
            (event, " ".join(each.rpartition("/")[2] for each in text.split()))
            for event, text in self.office.logged()
            if event.startswith("DEPUTY")
        ]

    def findings(self) -> list[str]:
        """Return what `verify` finds wrong with the deputies."""
        part = Part("officers")
        with self.office.store.reads() as reads:
            check = DeputiesCheck(reads)
            for each in log_store.entries(reads, 0, 10_000):
                entry = log_pb2.LogEntry.FromString(each.entry)
                if entry.event in check.events:
                    check.read_entry(each.index, entry)
            check.verify(part, lambda _count: None)
        return [each.what for each in part.findings]


ALONE: Final = (("", "desk"), ("sidorov",))
STANDING_IN: Final = (("", "desk", "bureau"), ("sidorov", "petrov"))


@pytest.fixture
def staff(office: Office) -> Staff:
    """The officers of a node on each database."""
    return Staff(office)


def test_a_deputy_sees_what_the_officer_sees_until_it_is_ended(staff: Staff) -> None:
    """Both entries name the two; roles are their own, and nothing else of the deputy changes."""
    assert staff.sees("sidorov") == ALONE
    staff.appoint("sidorov")
    assert staff.sees("sidorov") == STANDING_IN
    assert staff.officer("sidorov").roles == frozenset({"liaison"})
    assert staff.sees("petrov") == (("", "bureau"), ("petrov",))
    assert staff.units.deputies_of(officer_id("petrov")) == [officer_id("sidorov")]
    staff.end(by="petrov")
    assert staff.sees("sidorov") == ALONE
    assert staff.logged() == [("DEPUTY_APPOINTED", "petrov sidorov"), ("DEPUTY_ENDED", "petrov sidorov")]
    assert staff.findings() == []


@pytest.mark.parametrize(("by", "allowed"), [("head", True), ("other-head", False), ("sidorov", False)])
def test_only_the_officer_and_their_head_appoint(staff: Staff, by: str, *, allowed: bool) -> None:
    """The head is an authoriser of the officer's unit."""
    if allowed:
        staff.appoint("aliev", by=by, of="petrov")
        assert staff.logged() == [("DEPUTY_APPOINTED", "petrov aliev")]
        return
    with pytest.raises(Rejected, match="policy_denied"):
        staff.appoint("aliev", by=by, of="petrov")
    assert staff.logged() == []


@pytest.mark.parametrize(
    ("by", "allowed"), [("petrov", True), ("head", True), ("sidorov", True), ("other-head", False), ("aliev", False)]
)
def test_only_the_officer_their_head_and_the_deputy_end_it(staff: Staff, by: str, *, allowed: bool) -> None:
    """Another officer cannot."""
    staff.appoint("sidorov")
    if allowed:
        staff.end(by=by, of="petrov")
    else:
        with pytest.raises(Rejected, match="policy_denied"):
            staff.end(by=by, of="petrov")
    assert (staff.sees("sidorov") == ALONE) is allowed


@pytest.mark.parametrize(
    ("deputy", "hours", "reason"),
    [
        ("petrov", 8, "wrong_deputy"),
        ("nobody", 8, "unknown_officer"),
        ("sidorov", -1, "wrong_deputy"),
        ("sidorov", 24 * 91, "wrong_deputy"),
    ],
)
def test_what_makes_no_sense_is_refused(staff: Staff, deputy: str, hours: float, reason: str) -> None:
    """Oneself, a stranger, an end in the past or too far away."""
    with pytest.raises(Rejected, match=reason):
        staff.appoint(deputy, hours=hours)
    with pytest.raises(Rejected, match="wrong_deputy"):
        staff.end(by="petrov")
    assert staff.logged() == []


def test_a_new_deputy_replaces_the_one_before(staff: Staff) -> None:
    """One at a time; a deputy of a deputy sees nothing of the first officer's."""
    staff.appoint("sidorov")
    staff.appoint("aliev")
    assert staff.sees("sidorov") == ALONE
    assert [each[0] for each in staff.logged()] == ["DEPUTY_APPOINTED", "DEPUTY_ENDED", "DEPUTY_APPOINTED"]
    staff.appoint("sidorov", by="aliev")
    assert staff.sees("sidorov") == (("", "desk"), ("sidorov", "aliev"))
    assert staff.findings() == []


def test_nobody_stands_in_for_too_many(staff: Staff) -> None:
    """Each adds to what every list reads."""
    office = staff.office
    for number in range(MOST_STOOD_FOR + 1):
        name = f"officer-{number}"
        person = Admission(officer_id(name), frozenset({"liaison"}), "bureau", office.pair(name))
        office.run(lambda tx, person=person: admit.admit(tx, [person], actor=ACTOR))  # type: ignore[misc]
    staff.restart()
    for number in range(MOST_STOOD_FOR):
        staff.appoint("sidorov", by=f"officer-{number}")
    with pytest.raises(Rejected, match="wrong_deputy"):
        staff.appoint("sidorov", by=f"officer-{MOST_STOOD_FOR}")


def test_it_ends_at_its_time_before_anything_is_written(staff: Staff) -> None:
    """At that moment the deputy sees no more; the entry follows, once, and a restart changes nothing."""
    staff.appoint("sidorov", hours=8)
    staff.office.clock.now += timedelta(hours=8) - timedelta(microseconds=1)
    assert staff.sees("sidorov") == STANDING_IN
    staff.office.clock.now += timedelta(microseconds=1)
    assert staff.sees("sidorov") == ALONE
    assert asyncio.run(staff.deputies.in_force()) == []
    staff.restart()
    assert staff.sees("sidorov") == ALONE
    assert staff.findings() == []
    for _ in range(2):
        asyncio.run(staff.deputies.end_what_is_over())
    assert [each[0] for each in staff.logged()] == ["DEPUTY_APPOINTED", "DEPUTY_ENDED"]
    assert staff.findings() == []


def test_an_appointment_survives_a_restart(staff: Staff) -> None:
    """It is in the rows."""
    staff.appoint("sidorov")
    staff.restart()
    assert staff.sees("sidorov") == STANDING_IN
    assert 0 < asyncio.run(staff.deputies.end_what_is_over()) <= 60


@pytest.mark.parametrize("name", ["petrov", "sidorov"])
@pytest.mark.parametrize("act", ["suspend", "remove"])
def test_suspension_and_removal_end_it_for_good(staff: Staff, name: str, act: str) -> None:
    """In the same commit, whichever of the two it is; a reinstatement does not bring it back."""
    staff.appoint("sidorov")
    if act == "suspend":
        staff.office.run(lambda tx: change.suspend(tx, officer_id(name), "leave", stolen=False, actor=ACTOR))
        staff.office.run(lambda tx: change.reinstate(tx, officer_id(name), "back", actor=ACTOR))
    else:
        staff.office.run(lambda tx: change.remove(tx, officer_id(name), "left", actor=ACTOR))
    events = [event for event, _text in staff.office.logged()]
    assert events[events.index("DEPUTY_APPOINTED") + 2] == "DEPUTY_ENDED"
    staff.restart()
    if (name, act) != ("sidorov", "remove"):
        assert staff.sees("sidorov") == ALONE
    assert staff.findings() == []


def test_what_a_crash_left_counts_for_nothing_and_is_ended(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    """An officer was suspended by a program that ended no appointment: the next start ends it, and verify told so."""
    staff.appoint("sidorov")
    with monkeypatch.context() as patched:
        patched.setattr(change, "end_deputies_of", lambda *_args, **_named: None)
        staff.office.run(lambda tx: change.suspend(tx, officer_id("petrov"), "leave", stolen=False, actor=ACTOR))
    staff.restart()
    assert staff.sees("sidorov") == ALONE
    assert len(staff.findings()) == 1
    asyncio.run(staff.deputies.end_what_is_over())
    assert staff.findings() == []


def test_verify_finds_rows_that_the_log_does_not_give(staff: Staff) -> None:
    """A row without its entry, with another officer, with a later end, or without its end."""
    staff.appoint("sidorov")
    staff.end(by="petrov")
    with staff.office.store.reads() as reads:
        (row,) = access_store.all_deputies(reads)
    bent: list[dict[str, Any]] = [
        {"deputy": officer_id("aliev")},
        {"end_time": row.end_time + timedelta(days=1)},
        {"ended_index": None},
    ]
    for change_of in bent:
        with staff.office.store.transaction() as conn:
            access_store.put_deputy(conn, replace(row, **change_of))
        assert staff.findings() == ["The deputies are not as the log records."], change_of
        with staff.office.store.transaction() as conn:
            access_store.put_deputy(conn, row)
    assert staff.findings() == []
