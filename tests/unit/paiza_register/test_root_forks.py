"""Two roots of one version, both signed as the root before demands: the membership freezes at that root."""

import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from paiza_register import RegisterReader, joining
from paiza_register.contradictions import REFUSAL_LABEL
from paiza_register.misbehaviour import ROOTS
from paiza_register.open_set import OpenSet, Versions
from paiza_register.publisher import Publisher
from paiza_register.publishing import published
from paiza_register.register_file import RegisterFile
from paiza_register.tuf_workflow import root_path
from paiza_wire.errors import Rejected, Unavailable
from tests.unit.paiza_register.conftest import NOW, Holder, Source
from tests.unit.paiza_register.publishers import Signing


class Scene:
    """A reader with a set under root 1 and one under root 2, of which there is another."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        self.folder = folder
        self.holder = holder
        other = holder.copy()
        self.first_files = holder.files()
        self.source = Source(self.first_files)
        self.reader = RegisterReader(folder, holder.bootstrap)
        self.first = self.reader.refresh(NOW, self.source)
        holder.rotate_root()
        other.rotate_root(lambda root: setattr(root, "expires", root.expires.replace(hour=1)))
        self.source.files = holder.advance().files()
        self.second = self.reader.refresh(NOW, self.source)
        assert self.second.root_version == 2
        self.other = other
        self.other_root = other.old_roots[root_path(2)]

    def restart(self) -> None:
        """Open the folder again."""
        self.reader = RegisterReader(self.folder, self.holder.bootstrap)


@pytest.fixture
def scene(holder: Holder, tmp_path: Path) -> Scene:
    """Return a scene that the test may change."""
    return Scene(tmp_path / "reader", holder)


def test_a_fork_freezes_the_membership(scene: Scene) -> None:
    """The newest set of before is in force, sets of either root are refused, and a new set of the old root is not."""
    fork = scene.reader.note_fork(scene.other_root, NOW)
    assert fork is not None
    assert fork == scene.reader.fork
    assert (fork.version, fork.common, fork.members) == (2, 1, ("centre", "kaz", "tjk"))
    assert (scene.folder / "fork/second.json").read_bytes() == scene.other_root
    for _ in range(2):
        current = scene.reader.current(NOW)
        assert current is not None
        assert current.version == scene.first.version
        for files in (scene.source.files, scene.other.advance().files()):
            with pytest.raises(Rejected, match="register_forked"):
                scene.reader.refresh(NOW, Source(files))
            with pytest.raises(Rejected, match="register_forked"):
                scene.reader.accept(files, NOW)
        scene.restart()
        assert scene.reader.fork == fork
    old = scene.holder.copy()
    old.old_roots = {root_path(1): old.bootstrap}
    old.signers["timestamp"] = old.signers["snapshot"] = [Signing(old).publishers["tjk"]]
    for _ in range(3):
        old.advance()
    assert scene.reader.highest_seen < old.timestamp.version
    assert scene.reader.refresh(NOW, Source(old.files())).root_version == 1
    assert scene.reader.archived(scene.second.version).root_version == 2, "evidence is still judged"


def test_without_a_set_of_before_there_is_no_register(holder: Holder, tmp_path: Path) -> None:
    """A reader that joined after the fork has nothing to go back to."""
    other = holder.copy()
    holder.rotate_root()
    other.rotate_root(lambda root: setattr(root, "expires", root.expires.replace(hour=1)))
    reader = RegisterReader(tmp_path / "reader", holder.bootstrap)
    reader.refresh(NOW, Source(holder.files()))
    assert reader.note_fork(other.old_roots[root_path(2)], NOW) is not None
    for _ in range(2):
        with pytest.raises(Unavailable, match="register_forked"):
            reader.current(NOW)
        reader = RegisterReader(tmp_path / "reader", holder.bootstrap)


def test_what_is_no_fork_freezes_nothing(scene: Scene) -> None:
    """The same root, the same root with other signatures, a root not accepted here, and one not validly signed."""
    holder = scene.holder
    assert scene.reader.note_fork(holder.old_roots[root_path(2)], NOW) is None
    assert scene.reader.note_fork(holder.sign("root", holder.root), NOW) is None
    fewer = holder.copy()
    fewer.signers["root"] = fewer.signers["root"][1:]
    assert scene.reader.note_fork(fewer.sign("root", fewer.root), NOW) is None
    holder.rotate_root()
    assert scene.reader.note_fork(holder.old_roots[root_path(3)], NOW) is None
    unsigned = scene.other
    unsigned.signers["root"] = unsigned.signers["root"][:1]
    for data in (unsigned.sign("root", unsigned.root), b"{}", b"", scene.source.files["metadata/timestamp.json"]):
        with pytest.raises(Rejected, match="register_invalid"):
            scene.reader.note_fork(data, NOW)
    assert scene.reader.fork is None
    current = scene.reader.current(NOW)
    assert current is not None
    assert current.version == scene.second.version


def test_one_root_with_other_signatures_is_one_root(scene: Scene) -> None:
    """What peers compare does not depend on which custodians signed a file first."""
    holder = scene.holder
    fewer = holder.copy()
    fewer.signers["root"] = list(reversed(fewer.signers["root"][1:]))
    files = {**scene.source.files, root_path(2): fewer.sign("root", fewer.root)}
    other = RegisterReader(scene.folder.parent / "other", holder.bootstrap).refresh(NOW, Source(files))
    assert other.root_sha256 == scene.second.root_sha256


def test_a_fork_further_back_counts_for_more(scene: Scene) -> None:
    """Of two forks the lower one decides."""
    holder = scene.holder
    older = holder.copy()
    holder.rotate_root()
    older.rotate_root(lambda root: setattr(root, "expires", root.expires.replace(hour=2)))
    scene.source.files = holder.advance().files()
    scene.reader.refresh(NOW, scene.source)
    fork = scene.reader.note_fork(older.old_roots[root_path(3)], NOW)
    assert fork is not None
    assert fork.version == 3
    current = scene.reader.current(NOW)
    assert current is not None
    assert current.version == scene.second.version
    fork = scene.reader.note_fork(scene.other_root, NOW)
    assert fork is not None
    assert fork.version == 2
    current = scene.reader.current(NOW)
    assert current is not None
    assert current.version == scene.first.version


@pytest.mark.parametrize("chosen", ["ours", "theirs"])
def test_people_decide_which_root_counts(scene: Scene, chosen: str) -> None:
    """The freeze ends with a register of that root; the other is refused for ever, and its proof changes nothing."""
    scene.other.signers["timestamp"] = scene.other.signers["snapshot"] = [Signing(scene.other).publishers["tjk"]]
    assert scene.reader.note_fork(scene.other_root, NOW) is not None
    first, second = scene.reader.proofs()[ROOTS]
    one, other = RegisterFile(scene.source.files), RegisterFile(scene.other.advance().files())
    winner, loser = (one, other) if chosen == "ours" else (other, one)
    root = scene.folder / "root.json"
    assert joining.fork_of(RegisterFile(scene.first_files), scene.folder) is None
    joining.join(RegisterFile(scene.first_files), scene.folder, root, NOW)
    assert joining.fork_of(winner, scene.folder) is not None, "a file of the root before decides nothing"
    joined = joining.join(winner, scene.folder, root, NOW)
    for _ in range(2):
        scene.restart()
        assert scene.reader.fork is None
        current = scene.reader.current(NOW)
        assert current is not None
        assert (current.version, current.root_sha256) == (joined.version, winner.newest_digest)
        assert scene.reader.accept(loser.files, NOW).root_sha256 == winner.newest_digest
        with pytest.raises(Rejected, match="prove nothing"):
            scene.reader.note_proof(first, second, NOW)
        assert scene.reader.note_fork(loser.files[root_path(2)], NOW) is None
    assert (scene.folder / "settled/2/second.json").read_bytes() == scene.other_root


def test_only_one_of_the_two_roots_ends_the_freeze(scene: Scene) -> None:
    """A third root does not; and before a set of the chosen root is there, none of the other is accepted."""
    third = scene.holder.copy()
    third.old_roots.pop(root_path(2))
    third.root.version = 1
    third.rotate_root(lambda root: setattr(root, "expires", root.expires.replace(hour=2)))
    with pytest.raises(Rejected, match="neither"):
        scene.reader.settle_fork(scene.other_root)
    assert scene.reader.note_fork(scene.other_root, NOW) is not None
    with pytest.raises(Rejected, match="neither"):
        scene.reader.settle_fork(third.old_roots[root_path(2)])
    assert scene.reader.fork is not None
    scene.reader.settle_fork(scene.other_root)
    for _ in range(2):
        with pytest.raises(Rejected, match="register_forked"):
            scene.reader.accept(scene.source.files, NOW)
        scene.restart()
        assert scene.reader.ahead is None


def test_what_went_on_meanwhile_is_merged(scene: Scene) -> None:
    """The set in force has a later timestamp than that of the chosen root: a publisher makes what follows both."""
    assert scene.reader.note_fork(scene.other_root, NOW) is not None
    held = OpenSet.verify(scene.first_files, scene.holder.bootstrap, NOW)
    signing = Signing(scene.holder)
    for name in ("one", "two", "three"):
        change = signing.renamed(held, "kaz", name, NOW)
        held = published(held, change, signing.publishers["kaz"], NOW, Versions(9, 9))
    scene.reader.accept(held.files, NOW)
    joining.join(RegisterFile(scene.other.advance().files()), scene.folder, scene.folder / "root.json", NOW)
    scene.restart()
    ahead = scene.reader.ahead
    assert ahead is not None
    publisher = Publisher("kaz", signing.publishers["kaz"], held)
    publisher.could_not_accept(OpenSet.verify(scene.reader.archived_files(ahead), scene.holder.bootstrap, None), NOW)
    made = publisher.publish(NOW + timedelta(minutes=1))
    assert made is not None
    accepted = scene.reader.accept(made.files, NOW + timedelta(minutes=1))
    assert accepted.root_version == 2
    assert accepted.members["kaz"].names["en"] == "three"
    assert scene.reader.ahead is None


class Refusing:
    """Two roots after the first: custodians who refused one of them signed the other, and one then signed both."""

    def __init__(self, holder: Holder, folder: Path) -> None:
        self.folder, self.bootstrap = folder, holder.bootstrap
        self.signers = {each.public_key.keyid: each for each in holder.signers["root"]}
        custodians = json.loads(holder.documents["federation.json"])["custodians"]
        self.of = {each["member"]: self.signers[each["key"]] for each in custodians}
        self.before = holder.files()
        refused, counts = holder.copy(), holder
        refused.rotate_root(
            lambda root: setattr(root, "expires", root.expires.replace(hour=1)), [self.of["kaz"], self.of["tjk"]]
        )
        counts.rotate_root(signers=[self.of["kaz"], self.of["centre"]])
        self.refused_root, self.root = (each.old_roots[root_path(2)] for each in (refused, counts))
        self.refused, self.counts = refused.advance().files(), counts.advance().files()

    def reader(self, files: Mapping[str, bytes]) -> RegisterReader:
        """Return a reader that followed a root."""
        reader = RegisterReader(self.folder, self.bootstrap)
        reader.accept(self.before, NOW)
        assert reader.accept(files, NOW).root_version == 2
        return reader

    def note(self, reader: RegisterReader, root_file: bytes, *members: str) -> None:
        """Hand the refusals of members to a reader."""
        digest = sha256(Metadata.from_bytes(root_file).signed_bytes).digest()
        made = [self.of[member].sign(REFUSAL_LABEL + digest) for member in members]
        reader.note_refusals(2, digest, {each.keyid: each.signature for each in made})


@pytest.fixture
def refusing(holder: Holder, tmp_path: Path) -> Refusing:
    """Return two roots, one of which two of three custodians refused."""
    return Refusing(holder, tmp_path / "reader")


def test_a_refused_root_that_is_signed_later_does_not_count(refusing: Refusing) -> None:
    """The custodian who broke the promise is named, nothing freezes, and the refused root is never accepted."""
    reader = refusing.reader(refusing.counts)
    refusing.note(reader, refusing.refused_root, "tjk", "centre")
    fork = reader.note_fork(refusing.refused_root, NOW)
    assert fork is not None
    assert fork.broke == ("tjk",)
    for each in (reader, RegisterReader(refusing.folder, refusing.bootstrap)):
        assert each.fork is None
        assert each.last is not None
        assert each.last.root_version == 2
        assert each.note_fork(refusing.refused_root, NOW) is None
        with pytest.raises(Rejected, match="another root 2 counts"):
            each._check_root(Metadata[Root].from_bytes(refusing.refused_root).signed, frozenset())


def test_a_reader_that_followed_the_refused_root_turns_round(refusing: Refusing) -> None:
    """It goes back to the root before, and follows the one that counts."""
    reader = refusing.reader(refusing.refused)
    refusing.note(reader, refusing.refused_root, "tjk", "centre")
    assert reader.note_fork(refusing.root, NOW) is not None
    assert reader.fork is None
    last = reader.current(NOW)
    assert last is not None
    assert last.root_version == 1
    register = reader.refresh(NOW, Source(refusing.counts))
    assert register.root_sha256 == sha256(Metadata.from_bytes(refusing.root).signed_bytes).digest()
    with pytest.raises((Rejected, Unavailable)):
        reader.accept(refusing.refused, NOW)


@pytest.mark.parametrize("members", [(), ("tjk",), ("centre",)])
def test_too_few_refusals_settle_nothing(refusing: Refusing, members: tuple[str, ...]) -> None:
    """A root that could still count is one of two, and the membership freezes."""
    reader = refusing.reader(refusing.counts)
    refusing.note(reader, refusing.refused_root, *members)
    assert reader.note_fork(refusing.refused_root, NOW) is not None
    assert reader.fork is not None


def test_refusals_of_both_roots_settle_nothing(refusing: Refusing) -> None:
    """Nobody can tell which of the two was signed in good faith."""
    reader = refusing.reader(refusing.counts)
    refusing.note(reader, refusing.refused_root, "tjk", "centre")
    refusing.note(reader, refusing.root, "tjk", "centre")
    assert reader.note_fork(refusing.refused_root, NOW) is not None
    assert reader.fork is not None


def test_refusals_that_do_not_hold_are_not_kept(refusing: Refusing) -> None:
    """A signature over something else refuses nothing, and no root of long ago or far ahead is refused."""
    reader, digest = refusing.reader(refusing.counts), bytes(32)
    made = {keyid: each.sign(b"other").signature for keyid, each in refusing.signers.items()}
    for version in (2, 1, 7):
        reader.note_refusals(version, digest, made)
    assert not (refusing.folder / "refused").exists()
