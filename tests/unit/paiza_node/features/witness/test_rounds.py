"""Rounds: whose cosignatures count, when they are enough, and what time they give."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from paiza_node.features.witness.rounds import MAX_OPEN_ROUNDS, Rounds, Witnesses
from paiza_wire.errors import Rejected
from paiza_wire.identity import keys
from paiza_wire.tlog import checkpoint as checkpoints
from paiza_wire.tlog.checkpoint import Checkpoint, VerifiedCheckpoint
from paiza_wire.tlog.cosignatures import WitnessSigner, cosign, cosignatures
from paiza_wire.tlog.notes import SignerKey, format_note, parse_note

ORIGIN = "kaz.example/log/1"
LOG = SignerKey.from_ed25519(ORIGIN, keys.generate_ed25519())
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
SIGNERS = {
    member: WitnessSigner.from_seed(f"{member}.example/witness/1", sha256(member.encode()).digest())
    for member in ("kgz", "tjk", "tkm", "uzb")
}


def witnesses(*members: str) -> Witnesses:
    """Return these members as witnesses, as the register names them."""
    return {member: (SIGNERS[member].witness_key,) for member in members}


ALL = witnesses(*SIGNERS)


def candidate(size: int) -> VerifiedCheckpoint:
    """Return a candidate of this size."""
    root = sha256(b"%d" % size).digest()
    return VerifiedCheckpoint(ORIGIN, size, root, checkpoints.sign(Checkpoint(ORIGIN, size, root), LOG))


def says(member: str, about: VerifiedCheckpoint, seconds: int = 0) -> bytes:
    """Return a member's cosignature, as it comes."""
    signature = cosign(about, SIGNERS[member], AT + timedelta(seconds=seconds))
    return format_note(parse_note(about.note).text, [signature])


def test_three_of_four_complete_a_round_with_their_median_time() -> None:
    """Two are not enough; three give a note with all their signatures and the log's, of the median time."""
    rounds = Rounds(None)
    shown = candidate(5)
    rounds.begin(shown, ALL)
    assert rounds.add("tjk", says("tjk", shown, 9))
    assert rounds.add("uzb", says("uzb", shown, 1))
    assert rounds.take_changed() == []
    assert rounds.add("kgz", says("kgz", shown, 4))
    (note,) = rounds.take_changed()
    assert (note.size, note.time, note.witnesses) == (5, AT + timedelta(seconds=4), ("kgz", "tjk", "uzb"))
    assert checkpoints.verify(note.note, [LOG.verifier_key], ORIGIN).root == shown.root
    assert len(cosignatures(note.note, [each.witness_key for each in SIGNERS.values()])) == 3


def test_one_who_says_it_twice_is_one() -> None:
    """A member's first cosignature counts in the first note of a size; repeats do not."""
    rounds = Rounds(None)
    shown = candidate(5)
    rounds.begin(shown, ALL)
    assert rounds.add("tjk", says("tjk", shown))
    assert not rounds.add("tjk", says("tjk", shown, 3))
    assert rounds.add("uzb", says("uzb", shown))
    assert rounds.take_changed() == []


def test_late_cosignatures_go_to_the_round_they_are_about() -> None:
    """The log has grown meanwhile; both rounds get theirs, the older one until it is one of too many."""
    rounds = Rounds(None)
    first, second = candidate(5), candidate(6)
    rounds.begin(first, ALL)
    rounds.begin(second, ALL)
    for member in ("tjk", "uzb", "kgz"):
        assert rounds.add(member, says(member, first))
    assert [note.size for note in rounds.take_changed()] == [5]
    for size in range(7, 7 + MAX_OPEN_ROUNDS):
        rounds.begin(candidate(size), ALL)
    with pytest.raises(Rejected, match="stale_checkpoint"):
        rounds.add("tkm", says("tkm", first))


def test_a_cosignature_of_another_root_is_refused() -> None:
    """A note that differs from the shown text belongs to no round."""
    rounds = Rounds(None)
    shown = candidate(5)
    rounds.begin(shown, ALL)
    other = VerifiedCheckpoint(ORIGIN, 5, bytes(32), checkpoints.sign(Checkpoint(ORIGIN, 5, bytes(32)), LOG))
    with pytest.raises(Rejected):
        rounds.add("tjk", says("tjk", other))


def test_only_witnesses_of_the_moment_count() -> None:
    """A cosignature by an inactive member, or with another's key, does not count."""
    rounds = Rounds(None)
    shown = candidate(5)
    rounds.begin(shown, witnesses("tjk", "uzb"))
    with pytest.raises(Rejected, match="no witness"):
        rounds.add("kgz", says("kgz", shown))
    with pytest.raises(Rejected, match="did not cosign"):
        rounds.add("uzb", says("tjk", shown))


def test_a_round_is_judged_anew_when_the_federation_changes() -> None:
    """A member that joins during a round is included by a new round about the same checkpoint."""
    rounds = Rounds(None)
    shown = candidate(5)
    rounds.begin(shown, witnesses("tjk", "uzb"))
    rounds.add("tjk", says("tjk", shown))
    rounds.begin(shown, witnesses("tjk", "uzb", "kgz"))
    rounds.add("tjk", says("tjk", shown))
    rounds.add("uzb", says("uzb", shown))
    assert rounds.take_changed() == []
    rounds.add("kgz", says("kgz", shown))
    (note,) = rounds.take_changed()
    assert note.witnesses == ("kgz", "tjk", "uzb")


def test_an_idle_log_is_cosigned_again_with_later_times() -> None:
    """A complete round is followed by another of the same checkpoint with a later time; the first stays."""
    rounds = Rounds(None)
    shown = candidate(5)
    rounds.begin(shown, witnesses("tjk", "uzb"))
    for member in ("tjk", "uzb"):
        rounds.add(member, says(member, shown))
    (first,) = rounds.take_changed()
    rounds.stored([first])
    assert rounds.begin(shown, witnesses("tjk", "uzb")).again
    for seconds in (30, 60):
        for member in ("tjk", "uzb"):
            rounds.add(member, says(member, shown, seconds))
        (again,) = rounds.take_changed()
        assert (again.again, again.time) == (True, AT + timedelta(seconds=seconds))
    assert first.time == AT


def test_a_start_goes_on_behind_what_was_stored() -> None:
    """The first round after a start, of a log that has not grown, is one that is cosigned again."""
    rounds = Rounds(None)
    shown = candidate(5)
    rounds.begin(shown, witnesses("tjk"))
    rounds.add("tjk", says("tjk", shown))
    (note,) = rounds.take_changed()
    anew = Rounds(note)
    assert anew.witnessed_size == 5
    assert anew.begin(shown, witnesses("tjk")).again
    assert not anew.begin(candidate(6), witnesses("tjk")).again


def test_notes_that_could_not_be_stored_are_given_again() -> None:
    """A temporary loss of the database loses no cosignature."""
    rounds = Rounds(None)
    shown = candidate(5)
    rounds.begin(shown, witnesses("tjk"))
    rounds.add("tjk", says("tjk", shown))
    notes = rounds.take_changed()
    assert rounds.take_changed() == []
    rounds.put_back(notes)
    assert rounds.take_changed() == notes
