"""The draft of a directory: written with comments, read with every fault at its line, in local time."""

import re
from datetime import UTC, datetime

import pytest

from paiza_domain import directory, kinds
from paiza_domain.directory import Directory, DirectoryError, Known, differences, read_draft, write_draft

KNOWN = Known(frozenset(kinds.all_kinds()), frozenset({"kaz", "tjk", "uzb", "kgz", "centre"}))


def draft(shift: str, zone: str = "Europe/Berlin") -> str:
    """Return a draft with one shift from a time until a day later."""
    roster = f"duty:\n  time_zone: {zone}\n  contacts: {{telephone: '1'}}\n  shifts:\n"
    return f"{roster}    - from: {shift}\n      until: 2026-12-24 00:00\n"


def begin(text: str) -> datetime:
    """Return the begin of the one shift."""
    found, _ = read_draft("kaz", text, KNOWN)
    assert found.duty is not None
    return found.duty.shifts[0].interval.begin


def codes(text: str) -> list[tuple[int, str]]:
    """Return line and code of every fault."""
    with pytest.raises(DirectoryError) as caught:
        read_draft("kaz", text, KNOWN)
    return [(each.line, each.code) for each in caught.value.errors]


@pytest.mark.parametrize("lang", ["ru", "en"])
def test_what_is_written_reads_as_the_same(own: Directory, lang: str) -> None:
    """A draft reads as the directory that it was written of, and is commented in the language of its writer."""
    text = write_draft(own, "3f09a1", lang)
    assert read_draft("kaz", text, KNOWN) == (own, "3f09a1")
    assert ("График дежурств" if lang == "ru" else "Duty roster") in text
    assert read_draft("kaz", write_draft(Directory("kaz"), "", lang), KNOWN) == (Directory("kaz"), "")


def test_the_examples_of_an_empty_draft_are_valid() -> None:
    """The examples in the comments are a valid directory."""
    text = write_draft(Directory("kaz"), "", "en").replace("officers: []", "officers:")
    text = re.sub(r"^(  )?# (?=  |- |duty:|confirmed:)", r"\1", text, flags=re.MULTILINE)
    found, _ = read_draft("kaz", text, KNOWN)
    assert (len(found.officers), found.duty is not None, len(found.confirmed)) == (1, True, 1)


def test_all_faults_are_named_at_once_each_at_its_line() -> None:
    """An officer mends everything in one go."""
    text = (
        "officers:\n"
        "  - id: petrov\n"
        "    nam: Petrov\n"
        "    posted_in: KAZ!\n"
        "    covers: [tjk, uzbk, deu]\n"
        "    kinds: [seizure-notise]\n"
        "    languages: [ru]\n"
        "    contacts: {telephone: '1'}\n"
        "    expires: 31.02.2027\n"
        "duty:\n"
        "  time_zone: Asia/Almatty\n"
        "  shifts: []\n"
        "  shifts: []\n"
    )
    assert codes(text) == [
        (2, "missing"),
        (3, "key_unknown"),
        (4, "code_malformed"),
        (5, "member_unknown"),
        (6, "kind_unknown"),
        (9, "day_malformed"),
        (11, "time_zone_unknown"),
        (12, "key_repeated"),
    ]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-12-23 08:30", "2026-12-23T07:30"),
        ("23.12.2026 08:30", "2026-12-23T07:30"),
        ("2026-07-23 08:30", "2026-07-23T06:30"),
        ("2026-12-23T08:30+05:00", "2026-12-23T03:30"),
        ("2026-12-23 08:30Z", "2026-12-23T08:30"),
        ("2026-10-25T02:30+02:00", "2026-10-25T00:30"),
        ("2026-10-25T02:30+01:00", "2026-10-25T01:30"),
    ],
)
def test_times_are_local_times_of_the_roster(written: str, utc: str) -> None:
    """A time without an offset is of the roster's zone, with its summer time."""
    assert begin(draft(written)) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_a_change_of_the_clocks_is_no_guess() -> None:
    """A local time that comes twice, or never, is refused; what is written of such a time is read as the same."""
    assert codes(draft("2026-10-25 02:30")) == [(5, "time_twice")]
    assert codes(draft("2026-03-29 02:30")) == [(5, "time_skipped")]
    for offset in ("+01:00", "+02:00"):
        found, _ = read_draft("kaz", draft(f"2026-10-25T02:30{offset}"), KNOWN)
        assert read_draft("kaz", write_draft(found, "", "en"), KNOWN)[0] == found


@pytest.mark.parametrize(
    "text", ["- a\n", "officers: *x\n", "!!python/object:os.system x", "a: [\n", "[" * 50, "x" * 300_000, "a\x00b"]
)
def test_what_is_no_draft_is_refused(text: str) -> None:
    """A text that is no such YAML is named, and never run."""
    assert codes(text)


def test_differences_are_told_in_words(own: Directory) -> None:
    """Every change is one line, in either language; the same directory has none."""
    text = (
        write_draft(own, "", "en").replace("Ankara", "Istanbul").replace("expires: 2027-12-31", "expires: 2028-12-31")
    )
    text = text.replace("08:00\n      until: 2026-11-30 20:00", "09:00\n      until: 2026-11-30 20:00")
    text = text.replace("name: Каримов Карим", "name: Каримов Керим")
    new, _ = read_draft("kaz", text, KNOWN)
    assert differences(own, own, "ru") == ()
    assert differences(own, new, "en") == (
        "Петров Пётр (petrov): place: Ankara → Istanbul",
        "Петров Пётр (petrov): posted until: 2027-12-31 → 2028-12-31",
        "shift removed: 2026-11-30 08:00 +0500 – 2026-11-30 20:00 +0500: petrov",
        "shift added: 2026-11-30 09:00 +0500 – 2026-11-30 20:00 +0500: petrov",
        "no longer confirmed: Каримов Карим (uzb/karimov)",
        "accreditation confirmed: Каримов Керим (uzb/karimov)",
    )
    removed = differences(own, Directory("kaz"), "ru")
    assert len(removed) == 2 + 1 + 2 + 1
    assert len(differences(directory.Directory("kaz"), own, "ru")) == 6
