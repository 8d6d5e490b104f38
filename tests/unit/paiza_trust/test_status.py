"""The `status` command: it judges the keys that are in the folder now, and who still signs."""

import itertools
import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from paiza_register.ceremony import Base
from paiza_register.ceremony.change import ATTENDANCE
from paiza_register.register_file import RegisterFile
from paiza_trust import status
from tests.unit.paiza_trust.ceremony import trust
from tests.unit.paiza_trust.test_change import changed, proposed


def shown(folder: Path, number: int, member: str = "uzb") -> dict[str, Any]:
    """Return what `status` says of a member's keys and the register of this number."""
    register = folder / f"{number}.register"
    return dict(json.loads(trust("status", "--register", register, "--keys", folder / member / "trust", "--json")))


def in_use(folder: Path, number: int) -> dict[str, bool | None]:
    """Return which pairs of uzb the register of this number names."""
    return {each["name"]: each["in_use"] for each in shown(folder, number)["keys"]}


def replaced(folder: Path) -> Path:
    """Make another pair for uzb's custodian; return the former one's folder and the application with the new one."""
    former = folder / "former"
    former.mkdir()
    for path in (folder / "uzb/trust").glob("custodian-uzb-*"):
        shutil.move(path, former)
    names = ("--name-ru", "У", "--name-en", "U", "--keys", folder / "uzb/trust")
    trust("apply", folder / "uzb/node", *names, "-o", folder / "uzb.application")
    return former


def test_the_key_in_the_folder_is_compared_with_the_register(folder: Path) -> None:
    """A new pair is in use once the register names it; the former pair put back in its place is not."""
    assert in_use(folder, 1) == {"custodian-uzb": True, "member-uzb": True, "reference-uzb": None}
    former = replaced(folder)
    assert in_use(folder, 1) == {"custodian-uzb": False, "member-uzb": True, "reference-uzb": None}
    changed(folder, 1, "kaz tjk", "custodian", folder / "uzb.application")
    assert in_use(folder, 2)["custodian-uzb"] is True
    shutil.copytree(former, folder / "uzb/trust", dirs_exist_ok=True)
    assert in_use(folder, 2)["custodian-uzb"] is False
    out = trust("status", "--register", folder / "2.register", "--keys", folder / "uzb/trust")
    assert "not the one that the register names" in out
    assert "Waits for you" not in out


def test_a_key_that_signed_no_proposal_may_be_in_use(folder: Path) -> None:
    """When a key last signed is apart from its use; the register of a federation does not name an applicant's keys."""
    keys = {each["name"]: each for each in shown(folder, 1)["keys"]}
    assert (keys["member-uzb"]["in_use"], keys["member-uzb"]["signed_time"]) == (True, None)
    assert keys["custodian-uzb"]["signed_time"] is not None
    assert {each["in_use"] for each in shown(folder, 1, "kgz")["keys"]} == {None}
    records = folder / "uzb/trust/ceremonies.jsonl"
    records.write_text(records.read_text() + "cut off by a cra")
    assert in_use(folder, 1)["custodian-uzb"] is True


def test_what_holds_is_named_in_words(folder: Path) -> None:
    """The list of days has the names of the guide and of `paiza-node doctor`, in both languages, and no code names."""
    asked = ("status", "--register", folder / "1.register", "--keys", folder / "uzb/trust")

    def named(heading: str, *language: str) -> set[str]:
        lines = trust(*asked, *language).splitlines()
        return {line[14:43].strip() for line in itertools.takewhile(_is_inner, lines[lines.index(heading) + 1 :])}

    english = {"root", "targets", "snapshot", "timestamp", "reference data", "member's files", "revocations"}
    assert named("Holds until:") == {*english, "node CA", "officer CA", "encryption key"}
    russian = {"файлы участника", "отзывы сертификатов", "справочные данные", "УЦ узлов", "ключ шифрования"}
    assert russian < named("Действует до:", "--lang", "ru")


def _is_inner(line: str) -> bool:
    return line.startswith("  ")


def test_a_new_custodian_is_not_absent(folder: Path) -> None:
    """A custodian whose key is new has not signed yet; the other ones are absent after 13 months."""
    replaced(folder)
    changed(folder, 1, "kaz tjk", "custodian", folder / "uzb.application")
    out = trust("status", "--register", folder / "2.register", "--keys", folder / "uzb/trust")
    (line,) = (each for each in out.splitlines() if each.startswith("  uzb "))
    assert "new since" in line
    assert "13 months" not in out
    kaz, _tjk, uzb = status.attendance(Base.verify(RegisterFile.read((folder / "2.register").read_bytes()), None))
    assert kaz.time is not None
    assert (uzb.time, uzb.since) == (None, kaz.time)
    for each in (kaz, uzb):
        assert not status.is_away(each, uzb.since + ATTENDANCE, ATTENDANCE)
        assert status.is_away(each, uzb.since + ATTENDANCE + timedelta(days=1), ATTENDANCE)
    assert status.is_away(replace(kaz, since=kaz.since - ATTENDANCE), kaz.time + 2 * ATTENDANCE, ATTENDANCE)


def test_the_present_and_the_new_custodian_are_told_apart(folder: Path) -> None:
    """Both may sign the change that replaces one by the other: the lists say which of them has."""
    replaced(folder)
    change = proposed(folder, 1, "kaz uzb", "custodian", folder / "uzb.application")
    shown = trust("sign", change, "--keys", folder / "tjk/trust", "--yes")
    (missing,) = {line for line in shown.splitlines()[-3:] if line.startswith("Not signed by:")}
    assert missing == "Not signed by: uzb (present custodian)"
    assert "uzb (new custodian)" in next(line for line in shown.splitlines()[::-1] if line.startswith("Signed by:"))
