"""When a revocation came into force, as an archive of the register shows it."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from paiza_register import RegisterReader
from paiza_register.open_set import OpenSet, Versions
from paiza_register.publishing import published, renewed
from tests.unit.paiza_register.conftest import NOW, Holder
from tests.unit.paiza_register.publishers import Signing

HOUR = timedelta(hours=1)
NONE = Versions(0, 0)
GONE = frozenset({sha256(b"gone").digest()})


class Scene:
    """A reader, and sets of which the last ones revoke a certificate of kaz."""

    def __init__(self, holder: Holder, folder: Path) -> None:
        self.signing = Signing(holder)
        kaz, *_ = self.signing.publishers.values()
        first = OpenSet.verify(holder.files(), holder.bootstrap, NOW)
        self.renewed = renewed(first, kaz, NOW + HOUR, NONE)
        self.revokes = published(
            self.renewed,
            self.signing.revoked(self.renewed, "kaz", b"gone", NOW + 1.5 * HOUR),
            kaz,
            NOW + 1.5 * HOUR,
            NONE,
        )
        change = self.signing.renamed(self.revokes, "tjk", "Other", NOW + 5 * HOUR)
        self.later = published(self.revokes, change, kaz, NOW + 5 * HOUR, NONE)
        self.reader = RegisterReader(folder / "register", holder.bootstrap)

    def accept(self, *sets: OpenSet) -> None:
        """Put sets into the archive, one after another."""
        for each in sets:
            self.reader.accept(each.files, each.register.issued_time)


@pytest.fixture
def scene(holder: Holder, tmp_path: Path) -> Scene:
    """Return a scene with an empty archive."""
    return Scene(holder, tmp_path)


def test_the_set_that_revokes_was_signed_then(scene: Scene) -> None:
    """If the archive has the set just before, the snapshot of the one that revokes says when."""
    scene.accept(scene.renewed, scene.revokes, scene.later)
    assert scene.reader.unrevoked_until("kaz", GONE) == NOW + 1.5 * HOUR


def test_a_set_between_may_be_missing(scene: Scene) -> None:
    """A node that was away knows only that the last set before did not revoke."""
    scene.accept(scene.renewed, scene.later)
    assert scene.reader.unrevoked_until("kaz", GONE) == NOW + HOUR


def test_an_archive_that_knows_nothing_of_before(scene: Scene) -> None:
    """Without a set of before nothing is known; nor of what is not revoked."""
    scene.accept(scene.later)
    assert scene.reader.unrevoked_until("kaz", GONE) is None
    assert scene.reader.unrevoked_until("tjk", GONE) is None
