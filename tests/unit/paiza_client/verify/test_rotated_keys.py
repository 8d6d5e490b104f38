"""Evidence across a change of the keys of a log and of a witness: what was proven before stays proven.

Both verifiers judge every file here, and must say the same.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from paiza.core.v1 import log_pb2
from paiza_register.ceremony.federation_file import pin
from paiza_wire.identity import keys
from paiza_wire.tlog.cosignatures import WitnessSigner
from paiza_wire.tlog.notes import SignerKey, parse_note
from tests.evidence import Case, Court
from tests.two_verifiers import agreed, remembering_sets

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def second() -> Iterator[ModuleType]:
    """The second verifier."""
    with remembering_sets() as verifier:
        yield verifier


@pytest.fixture
def court(tmp_path: Any) -> Court:
    """Three members: each log has two witnesses, and needs both."""
    return Court(tmp_path / "federation", ("kaz", "tjk", "uzb"))


def admit(court: Court, listed: str, label: str, vkey: str, until: datetime) -> None:
    """Publish another key of a member beside its present ones, which end at a time."""
    member = vkey.partition(".")[0]
    path, federation = f"members/{member}/member.json", court.document("federation.json")
    own = court.document(path)
    federation[listed].append(pin(label, vkey))
    name = vkey.partition("+")[0]
    for key in own[listed]:
        key.setdefault("until", f"{until:%Y-%m-%dT%H:%M:%SZ}")
    own[listed].append({label: name, "vkey": vkey})
    court.publish({path: own, "federation.json": federation})


def witnessed(court: Court) -> Case:
    """Return a message that was released and received, both witnessed."""
    case = court.case(recipients=["tjk"]).release().receive("tjk")
    return case.witness(before=1).witness("answers", before=None)


def proven(second: ModuleType, data: bytes, root: bytes) -> list[dict[str, Any]]:
    """Return the claims that both verifiers find proven."""
    found = agreed(second, data, root)
    assert found is not None
    claims: list[dict[str, Any]] = found["claims"]
    return claims


def test_evidence_of_before_during_and_after_a_change_of_keys(court: Court, second: ModuleType) -> None:
    """The author's log is signed with one key, with both, and with the next alone; each file proves all it did."""
    log, before = court.logs["kaz"], witnessed(court)
    (old,) = log.keys.log
    new = SignerKey.from_ed25519(old.verifier_key.name, keys.generate_ed25519())
    admit(court, "log_keys", "origin", new.verifier_key.to_vkey(), court.now + HOUR)
    log.keys = replace(log.keys, log=(old, new))
    during = witnessed(court)
    court.tick(2 * HOUR.total_seconds())
    court.publish()
    log.keys = replace(log.keys, log=(new,))
    after = witnessed(court)
    for case, signatures in ((before, 1), (during, 2), (after, 1)):
        note = case.spans[0].span.note
        own = [each for each in parse_note(note).signatures if each.name == old.verifier_key.name]
        assert len(own) == signatures
        claims = proven(second, case.pack(), court.root)
        assert [claim["witnesses"] for claim in claims] == [["tjk", "uzb"], ["kaz", "uzb"]]


def test_evidence_outlives_the_key_of_a_witness(court: Court, second: ModuleType) -> None:
    """A member counts once: by its former key until that was abandoned, and by its next one."""
    log, before = court.logs["uzb"], witnessed(court)
    new = WitnessSigner.from_private_key("uzb.paiza.example/witness/2", keys.generate_mldsa44())
    admit(court, "witness_keys", "name", new.witness_key.to_vkey(), court.now + HOUR)
    old, log.keys = log.keys, replace(log.keys, witness=new)
    during = witnessed(court)
    court.tick(2 * HOUR.total_seconds())
    court.publish()
    after = witnessed(court)
    for case in (before, during, after):
        claims = proven(second, case.pack(), court.root)
        assert [claim["witnesses"] for claim in claims] == [["tjk", "uzb"], ["kaz", "uzb"]]
    log.keys = old  # whoever stole it cosigns on, with the time of the day
    stolen = witnessed(court)
    claims = proven(second, stolen.pack(), court.root)
    assert [claim["not_after"] for claim in claims] == [None, None]
    assert agreed(second, stolen.forced(), court.root) is None


def test_the_thief_of_an_abandoned_log_key_has_no_witnesses(court: Court, second: ModuleType) -> None:
    """Nobody cosigns what it signs, so an entry made up rests on that log's word alone; two histories are a fork."""
    case = court.case(recipients=["tjk"]).release()
    log = court.logs["tjk"]
    (old,) = log.keys.log
    new = SignerKey.from_ed25519(old.verifier_key.name, keys.generate_ed25519())
    admit(court, "log_keys", "origin", new.verifier_key.to_vkey(), court.now)
    case.receive("tjk")  # in a note by the former key alone, which the member did not sign any more
    claims = proven(second, case.pack(), court.root)
    (claim,) = [claim for claim in claims if claim["event"] == "RECEIVED"]
    assert (claim["witnesses"], claim["not_after"]) == ([], None)
    honest = court.case(recipients=["tjk"]).release()
    log.keys = replace(log.keys, log=(new,))
    honest.receive("tjk")
    size, index = log.tree.size, honest.proofs["answers"][0][1]
    assert agreed(second, honest.pack(), court.root) is not None
    thief = type(log)("tjk", replace(log.keys, log=(old,)))
    for number in range(size):
        thief.append(log_pb2.LogEntry.FromString(log.entries[index]), court.tick() + HOUR * number)
    honest.proofs["answers"].append((thief, size - 1))
    assert agreed(second, honest.forced(), court.root) is None
