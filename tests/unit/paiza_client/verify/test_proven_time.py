"""When evidence says something was: what witnesses prove of it, and whose word it is where they prove nothing.

Both verifiers judge every file here, and must say the same.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from paiza.core.v1 import log_pb2, message_pb2
from paiza.officer.v1 import audit_pb2
from paiza_wire import log_entries
from paiza_wire.tlog.cosignatures import add_signatures
from paiza_wire.tlog.notes import NoteSignature
from tests.evidence import Case, Court, Log
from tests.log_entries import entry_of
from tests.revocations import revocation
from tests.two_verifiers import agreed, remembering_sets


@pytest.fixture(scope="module")
def second() -> Iterator[ModuleType]:
    """The second verifier."""
    with remembering_sets() as verifier:
        yield verifier


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Court:
    """Five members: each log has four witnesses, and needs three."""
    return Court(tmp_path_factory.mktemp("court") / "federation")


def cosign(
    case: Case, size: int, before: int | None, times: tuple[datetime, datetime], by: int = 4, register: bytes = b""
) -> None:
    """Cosign the author's checkpoints of these sizes at these times, and prove the first release by them."""
    court, log = case.court, case.author
    index = case.proofs["released"][0][1]
    witnesses = [each for each in court.members if each != log.member][:by]
    span = log_pb2.WitnessedSpan(note=court.cosigned(log, size, witnesses, times[1]))
    if before is not None:
        span.before_note = court.cosigned(log, before, witnesses, times[0])
        span.consistency_hashes.extend(log.tree.consistency_proof(before, size))
    span.entries.add(index=index, inclusion_hashes=log.tree.inclusion_proof(index, size))
    version = register or court.register.version
    case.spans.append(audit_pb2.EvidenceSpan(span=span, register_version=version))


def released(court: Court) -> tuple[Case, int]:
    """Release a message to one recipient; gives the index of its entry too."""
    case = court.case(recipients=["tjk"]).release()
    return case, case.proofs["released"][0][1]


def test_the_bounds_are_the_medians(court: Court, second: ModuleType) -> None:
    """The entry lies between the times at which a quorum saw the log without it, and with it."""
    case, index = released(court)
    times = court.now - timedelta(seconds=7), court.now + timedelta(seconds=3)
    cosign(case, index + 1, index, times)
    found = agreed(second, case.pack(), court.root)
    assert found is not None
    assert (found["claims"][0]["not_before"], found["claims"][0]["not_after"]) == times
    assert found["claims"][0]["others"] == 4
    assert [each["witnessed"] for each in found["signed"]] == [True]


@pytest.mark.parametrize("by", [0, 1, 2])
def test_too_few_witnesses_prove_no_time(court: Court, second: ModuleType, by: int) -> None:
    """With two of four the time is the log's own word; a file that says otherwise is refused."""
    case, index = released(court)
    cosign(case, index + 1, None, (court.now, court.now), by)
    found = agreed(second, case.pack(), court.root)
    assert found is not None
    assert found["claims"][0]["not_after"] is None
    assert [each["witnessed"] for each in found["signed"]] == [False]
    assert agreed(second, case.forced(), court.root) is None


def test_a_witness_that_cannot_speak_is_away(tmp_path: Path, second: ModuleType) -> None:
    """Its cosignature is not counted, and the quorum is of all active members: one broken file lowers no bar."""
    court = Court(tmp_path / "federation")
    broken = court.document("members/uzb/member.json")
    broken["endpoints"] = [{"address": "nowhere"}]
    assert set(court.publish({"members/uzb/member.json": broken}).unusable) == {"uzb"}
    for others, proven in ((["tjk", "kgz"], False), (["tjk", "kgz", "uzb"], False), (["tjk", "kgz", "tkm"], True)):
        case, index = released(court)
        log = case.author
        span = log_pb2.WitnessedSpan(note=court.cosigned(log, index + 1, others, court.now))
        span.entries.add(index=index, inclusion_hashes=log.tree.inclusion_proof(index, index + 1))
        case.spans.append(audit_pb2.EvidenceSpan(span=span, register_version=court.register.version))
        found = agreed(second, case.pack(), court.root)
        assert found is not None
        assert (found["claims"][0]["not_after"] is not None) == proven
        if proven:
            assert (found["claims"][0]["witnesses"], found["claims"][0]["others"]) == (["kgz", "tjk", "tkm"], 4)


def test_a_log_that_gives_another_time_is_named(court: Court, second: ModuleType) -> None:
    """An entry that the log dates an hour before any witness had seen the log without it: that is said."""
    case, index = released(court)
    later = court.now + timedelta(hours=1)
    cosign(case, index + 1, index, (later, later + timedelta(seconds=5)))
    found = agreed(second, case.pack(), court.root)
    assert found is not None
    assert found["claims"][0]["time_contradicted"]
    case, index = released(court)
    cosign(case, index + 1, None, (court.now, court.now - timedelta(hours=1)))
    found = agreed(second, case.pack(), court.root)
    assert found is not None
    assert found["claims"][0]["time_contradicted"]


def test_witnesses_who_say_first_was_last_are_not_believed(court: Court, second: ModuleType) -> None:
    """The checkpoint before an entry cannot have been seen an hour after the one behind it."""
    case, index = released(court)
    cosign(case, index + 1, index, (court.now + timedelta(hours=1), court.now))
    assert agreed(second, case.forced(), court.root) is None


def test_the_checkpoint_before_must_not_hold_the_entry(court: Court, second: ModuleType) -> None:
    """A checkpoint that holds the entry is no bound from below, nor one of another log."""
    case, index = released(court)
    case.author.append(log_entries.searched(actor=""), court.tick())
    cosign(case, index + 2, index + 1, (court.now, court.now))
    assert agreed(second, case.forced(), court.root) is None
    case, index = released(court)
    cosign(case, index + 1, index, (court.now, court.now))
    case.spans[0].span.before_note = court.cosigned(court.logs["tjk"], 0, ["kaz", "uzb", "kgz"], court.now)
    assert agreed(second, case.forced(), court.root) is None


def test_a_certificate_that_had_ended_signs_nothing(court: Court, second: ModuleType) -> None:
    """A release that witnesses prove later than the certificate's end is refused, despite the log's time."""
    case, index = released(court)
    late = court.now + timedelta(days=3 * 365)
    cosign(case, index + 1, index, (late, late))
    assert agreed(second, case.forced(), court.root) is None
    case, index = released(court)
    early = court.now - timedelta(days=30)
    cosign(case, index + 1, None, (early, early))
    assert agreed(second, case.forced(), court.root) is None


def test_a_certificate_that_ends_within_the_interval_is_the_logs_word(court: Court, second: ModuleType) -> None:
    """An interval longer than the certificate's life proves no more than that it may have been valid."""
    case, index = released(court)
    cosign(case, index + 1, index, (court.now - timedelta(days=30), court.now))
    found = agreed(second, case.pack(), court.root)
    assert found is not None
    assert [each["witnessed"] for each in found["signed"]] == [False]


def test_a_register_older_than_the_entry_judges_nobody(tmp_path: Path, second: ModuleType) -> None:
    """The witnesses are not taken from a register that was in force before the entry."""
    court = Court(tmp_path / "federation")
    old = court.register.version
    court.publish()
    case, index = released(court)
    cosign(case, index + 1, None, (court.now, court.now), register=old)
    assert agreed(second, case.forced(), court.root) is None
    found = agreed(second, case.pack(), court.root)
    assert found is not None
    assert found["claims"][0]["not_after"] is None


def test_a_suspended_member_is_no_witness(tmp_path: Path, second: ModuleType) -> None:
    """All of the three others besides the owner must have cosigned."""
    court = Court(tmp_path / "federation")
    federation = court.document("federation.json")
    federation["members"]["tkm"]["status"] = "suspended"
    court.publish({"federation.json": federation})
    for by, holds in ((("tjk", "uzb", "tkm"), False), (("tjk", "uzb", "kgz"), True)):
        case = court.case(recipients=["tjk"]).release().witness(by=by)
        found = agreed(second, case.pack(), court.root)
        assert found is not None
        assert (found["claims"][0]["not_after"] is not None) == holds
        assert (agreed(second, case.forced(), court.root) is not None) == holds


def test_revocations(tmp_path: Path, second: ModuleType) -> None:
    """A certificate revoked since is said to be; one whose revocation was witnessed before the release is refused."""
    court = Court(tmp_path / "federation")
    case = court.case(recipients=["tjk"]).release()
    revoke(court, case)
    case.register_version = court.register.version
    case.receive("tjk").witness("answers", before=None)
    index = case.proofs["released"][0][1]
    # The register that the release names is the one before; who judges its witnesses is the one after.
    cosign(case, index + 1, index, (court.now - timedelta(minutes=5), court.now))
    found = agreed(second, case.pack(), court.root)
    assert found is not None
    assert found["signed"][0]["revoked_by"] == [court.register.version.hex()]
    # Now witnesses say that the log was still without the release in the second of the receipt under the new register.
    shown = found["claims"]
    (seen,) = [each["not_after"] for each in shown if each["event"] == "RECEIVED"]
    for later in (seen, seen + timedelta(minutes=9)):
        del case.spans[-1]
        cosign(case, index + 1, index, (later, later))
        assert agreed(second, case.forced(), court.root) is None


def revoke(court: Court, case: Case) -> None:
    """Publish the revocation of the certificate that signed a case's message."""
    certificate = message_pb2.SignedMessage.FromString(case.signed).signatures[0].certificate
    court.publish({"members/kaz/revoked.json": {"format": 1, "certificates": [revocation(certificate)]}})


def test_a_log_does_not_go_back_behind_a_revocation(tmp_path: Path, second: ModuleType) -> None:
    """A release that names the register before a revocation is refused behind an entry that names the one with it."""
    officer = "spiffe://kaz.paiza.example/officer/liaison"
    court = Court(tmp_path / "federation")
    case = court.case(recipients=["tjk"])
    before = case.register_version
    revoke(court, case)
    shown = {"actor": officer, "part_number": 0, "register_version": court.register.version}
    case.add("others", "kaz", log_pb2.LOG_EVENT_OPENED, **shown)
    case.release()
    assert case.register_version == before
    assert agreed(second, case.forced(), court.root) is None
    # The other way round the log only follows the register.
    court = Court(tmp_path / "another")
    case = court.case(recipients=["tjk"]).release()
    revoke(court, case)
    case.add("others", "kaz", log_pb2.LOG_EVENT_OPENED, **{**shown, "register_version": court.register.version})
    found = agreed(second, case.forced(), court.root)
    assert found is not None
    assert found["signed"][0]["revoked_by"] == [court.register.version.hex()]


def test_a_release_under_the_register_that_revokes_is_refused(tmp_path: Path, second: ModuleType) -> None:
    """A revocation counts from the first register that carries it: a release that names this one proves nothing."""
    court = Court(tmp_path / "federation")
    case = court.case(recipients=["tjk"])
    revoke(court, case)
    case.register_version = court.register.version
    case.release()
    assert agreed(second, case.forced(), court.root) is None


def test_unknown_signatures_are_ignored_and_false_ones_are_not(court: Court, second: ModuleType) -> None:
    """A line by a key nobody knows changes nothing; a known witness's line that fails refuses the file."""
    case, index = released(court)
    cosign(case, index + 1, index, (court.now, court.now))
    note = case.spans[0].span.note
    greased = add_signatures(note, [NoteSignature("nobody.example/witness", b"\1\2\3\4", b"\5" * 70)])
    case.spans[0].span.note = greased
    assert agreed(second, case.forced(), court.root) is not None
    key = court.logs["tjk"].keys.witness.witness_key
    lines = [line for line in note.split(b"\n") if not line.startswith(b"\xe2\x80\x94 " + key.name.encode())]
    false = NoteSignature(key.name, key.key_id, bytes(6) + b"\1\1" + bytes(2420))
    case.spans[0].span.note = add_signatures(b"\n".join(lines), [false])
    assert agreed(second, case.forced(), court.root) is None


def test_a_forked_log_proves_nothing(court: Court, second: ModuleType) -> None:
    """A file with two signed roots of one size is refused."""
    case, _index = released(court)
    fork = Log("kaz", case.author.keys)
    for entry in case.author.entries:
        fork.append(log_pb2.LogEntry.FromString(entry), court.now)
    officer = "spiffe://kaz.paiza.example/officer/liaison"
    shown = entry_of(log_pb2.LOG_EVENT_OPENED, message_digest=case.digest, actor=officer, part_number=0)
    case.author.append(shown, court.tick())
    case.proofs["others"].append((fork, fork.append(shown, court.tick())))
    assert agreed(second, case.forced(), court.root) is None
    case.proofs["others"] = [(case.author, case.author.tree.size - 1)]
    assert agreed(second, case.forced(), court.root) is not None


def test_a_log_that_was_not_admitted_proves_nothing(tmp_path: Path, second: ModuleType) -> None:
    """A log key that a member publishes without the members' leave leaves the member unusable, and its log nobody's."""
    court = Court(tmp_path / "federation")
    case = court.case(recipients=["tjk"]).release()
    federation = court.document("federation.json")
    federation["log_keys"][0]["vkey_sha256"] = "0" * 64
    assert set(court.publish({"federation.json": federation}).unusable) == {"kaz"}
    assert agreed(second, case.forced(), court.root) is not None
    case.court.sets = {court.last: court.unread[court.last]}
    assert agreed(second, case.forced(), court.root) is None
