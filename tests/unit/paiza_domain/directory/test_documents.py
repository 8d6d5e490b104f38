"""The published form of a directory, also of hostile content."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_domain import directory
from paiza_domain.directory import Directory, DirectoryError, State
from paiza_domain.directory.content import MAX_OFFICERS, MAX_SHIFTS
from paiza_domain.directory.documents import MAX_BYTES
from tests.unit.paiza_domain.directory.conftest import FILE, edited


def faults(data: bytes) -> set[tuple[str, str]]:
    """Return path and code of every fault."""
    with pytest.raises(DirectoryError) as caught:
        directory.read("kaz", data)
    assert all(each.message(lang) for each in caught.value.errors for lang in ("ru", "en"))
    return {(each.path, each.code) for each in caught.value.errors}


def test_the_file_is_read_and_written_to_the_same(own: Directory) -> None:
    """What is written reads as the same directory, and a second writing gives the same bytes."""
    data = directory.to_bytes(own)
    assert directory.read("kaz", data) == own
    assert directory.to_bytes(directory.read("kaz", data)) == data
    assert own.officers[0].hours is not None
    assert own.duty is not None
    assert [own.contacts_of(each)["telephone"] for each in own.duty.shifts] == ["+00 000", "+00 002"]


def test_a_newer_program_may_say_more() -> None:
    """Fields and kinds that this version does not know are no faults of a published file."""
    data = edited(lambda values: values["officers"][0].update(rank="colonel", kinds=["future-kind"]))
    assert directory.read("kaz", data).officers[0].kinds == ("future-kind",)


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        (lambda v: v["officers"][0].update(name="Петров\u202e"), "officers[0].name", "text_character"),
        (lambda v: v["officers"][0].update(posting="\u2066Ankara"), "officers[0].posting", "text_character"),
        (lambda v: v["officers"][0].update(name="a\x1b[2J"), "officers[0].name", "text_character"),
        (lambda v: v["officers"][0].update(name="a\nb"), "officers[0].name", "text_character"),
        (lambda v: v["officers"][0].update(name="x" * 201), "officers[0].name", "text_too_long"),
        (lambda v: v["officers"][0].update(name=["x"]), "officers[0].name", "expected_value"),
        (lambda v: v["officers"][0].update(id="../x"), "officers[0].id", "code_malformed"),
        (lambda v: v["officers"][1].update(id="petrov"), "officers[1]", "value_repeated"),
        (lambda v: v["officers"][0].update(contacts={"\u202e": "x"}), "officers[0].contacts", "code_malformed"),
        (lambda v: v["officers"][0].update(contacts={f"k{n}": "x" for n in range(13)}), "officers[0].contacts",
         "too_many"),
        (lambda v: v["officers"][0].update(contacts=[]), "officers[0].contacts", "expected_group"),
        (lambda v: v["officers"][0].update(covers=["all", "tjk"]), "officers[0].covers", "not_allowed_here"),
        (lambda v: v["officers"][0].update(covers="tjk"), "officers[0].covers", "expected_list"),
        (lambda v: v["officers"][0].update(covers=[{}]), "officers[0].covers[0]", "expected_value"),
        (lambda v: v["officers"][0].update(expires="2027-02-30"), "officers[0].expires", "day_malformed"),
        (lambda v: v["officers"][0].update(expires="9999-12-31"), "officers[0].expires", "day_malformed"),
        (lambda v: v["officers"][0].update(expires=20271231), "officers[0].expires", "expected_value"),
        (lambda v: v["officers"][0]["hours"].update(until="08:00"), "officers[0].hours.until", "period_order"),
        (lambda v: v["officers"][0]["hours"].update({"from": "25:00"}), "officers[0].hours.from", "clock_malformed"),
        (lambda v: v["officers"][0]["hours"].update(days=["mon", "mon"]), "officers[0].hours.days[1]",
         "value_repeated"),
        (lambda v: v["duty"].update(time_zone="../etc/passwd"), "duty.time_zone", "time_zone_unknown"),
        (lambda v: v["duty"]["shifts"][0].update({"from": "2026-11-30 03:00"}), "duty.shifts[0].from",
         "time_malformed"),
        (lambda v: v["duty"]["shifts"][0].update({"from": "2026-11-30T03:00:00+05:00"}), "duty.shifts[0].from",
         "time_malformed"),
        (lambda v: v["duty"]["shifts"][0].update({"from": "0001-01-01T00:00:00Z"}), "duty.shifts[0].from",
         "time_malformed"),
        (lambda v: v["duty"]["shifts"][0].update(until="2026-11-30T03:00:00Z"), "duty.shifts[0].until",
         "period_order"),
        (lambda v: v["duty"]["shifts"][0].update(until="2028-11-30T03:00:00Z"), "duty.shifts[0].until",
         "shift_too_long"),
        (lambda v: v["duty"]["shifts"][0].update(officer="petrow"), "duty.shifts[0].officer", "officer_unknown"),
        (lambda v: v["duty"].pop("contacts"), "duty.shifts[1].contacts", "missing"),
        (lambda v: v["confirmed"].append(v["confirmed"][0]), "confirmed[1]", "value_repeated"),
        (lambda v: v.update(officers={}), "officers", "expected_list"),
        (lambda v: v.update(officers=[7]), "officers[0]", "expected_group"),
        (lambda v: v.update(officers=[v["officers"][0]] * (MAX_OFFICERS + 1)), "officers", "too_many"),
        (lambda v: v["duty"].update(shifts=v["duty"]["shifts"] * MAX_SHIFTS), "duty.shifts", "too_many"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_field(change: Callable[[dict[str, Any]], Any], path: str, code: str) -> None:
    """Content that could deceive a reader, or that is none, makes the file unusable."""
    assert (path, code) in faults(edited(change))


def test_one_person_is_on_duty_once_at_a_time(own: Directory) -> None:
    """Overlapping shifts of one person are a fault; two persons may be on duty together."""
    shifts = FILE["duty"]["shifts"]
    second = {"from": "2026-11-30T14:59:00Z", "until": "2026-11-30T16:00:00Z", "officer": "petrov"}
    assert ("duty.shifts[2].from", "shift_overlaps") in faults(
        edited(lambda values: values["duty"].update(shifts=[*shifts, second]))
    )
    both = edited(lambda values: values["duty"].update(shifts=[*shifts, {**second, "officer": "aliyeva"}]))
    assert len(directory.on_duty(directory.read("kaz", both), own.duty.shifts[1].interval.begin)) == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"null", b'{"format": 2}', b'{"format": true}', b'{"format": 1, "format": 1}', b"\xff",
     b"[" * 100_000, b'{"format": 1}' + b" " * MAX_BYTES],
)  # fmt: skip
def test_what_is_no_directory_is_unusable(data: bytes) -> None:
    """A file of another form or size is unusable as a whole, and says so without failing."""
    found = directory.published({"members/kaz/liaison.json": data}, "kaz")
    assert found.state is State.UNUSABLE
    assert not found.directory.officers
    assert found.errors[0].code in {"file_unusable", "draft_too_large"}


def test_the_file_of_one_member_spoils_no_other(own: Directory) -> None:
    """A broken file leaves the directories of the others as they are."""
    files = {"members/kaz/liaison.json": directory.to_bytes(own), "members/tjk/liaison.json": b"{"}
    assert directory.published(files, "kaz").directory == own
    assert directory.published(files, "tjk").state is State.UNUSABLE
    assert directory.published(files, "uzb").state is State.ABSENT


def test_a_thousand_shifts_are_read_at_once() -> None:
    """The largest roster is read in well under a second of a processor."""
    shifts = [
        {"from": f"2026-{1 + n // 90:02}-{1 + n // 4 % 22:02}T{n % 4 * 6:02}:00:00Z",
         "until": f"2026-{1 + n // 90:02}-{1 + n // 4 % 22:02}T{n % 4 * 6 + 5:02}:59:00Z", "name": f"officer {n}"}
        for n in range(MAX_SHIFTS)
    ]  # fmt: skip
    data = edited(lambda values: values["duty"].update(shifts=shifts))
    begun = time.thread_time()
    found = directory.read("kaz", data)
    assert time.thread_time() - begun < 1
    assert found.duty is not None
    assert len(found.duty.shifts) == MAX_SHIFTS
    assert list(found.duty.shifts) == sorted(found.duty.shifts, key=lambda each: each.interval)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([*FILE, "mon", "kaz", "all"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FILE, "id", "from"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_VALUES, st.sampled_from(["officers", "duty", "confirmed"]))
def test_any_content_is_read_or_refused(value: object, name: str) -> None:
    """No content of a file makes its readers fail."""
    found = directory.published({"members/kaz/liaison.json": json.dumps({"format": 1, name: value}).encode()}, "kaz")
    assert found.errors or directory.read("kaz", directory.to_bytes(found.directory)) == found.directory
