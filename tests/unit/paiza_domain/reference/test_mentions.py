"""The substances a content speaks of, with their status; an unknown one is a remark."""

from datetime import UTC, date, datetime

from paiza.content.v1.common_pb2 import Substance
from paiza.content.v1.free_message_pb2 import FreeMessage
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain import reference
from paiza_domain.reference import Listing, NameIndex, Reference
from paiza_domain.reference.mentions import MAX_MENTIONS, day_of

REPORTED = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_each_substance_stands_with_its_status_on_the_day_of_the_seizure(
    known: Reference, index: NameIndex, notice: SeizureNotice
) -> None:
    """The law that counts is that of the seizure, in each state asked about."""
    del notice.substances[:]
    notice.substances.add(as_named="герыч")
    notice.seized_at.time.FromDatetime(datetime(2009, 1, 1, tzinfo=UTC))
    (found,) = reference.mentions(notice, known, index, ("kaz", "tjk"), REPORTED)
    assert found.path == "substances[0]"
    assert found.substance is not None
    assert found.substance.id == "heroin"
    assert [(each.state, each.on, each.listing) for each in found.statuses] == [
        ("kaz", date(2009, 1, 1), Listing.NOT_LISTED),
        ("tjk", date(2009, 1, 1), Listing.NOT_RECORDED),
    ]
    notice.ClearField("seized_at")
    assert day_of(notice, REPORTED) == REPORTED.date()


def test_an_unknown_id_is_a_remark_with_a_suggestion(known: Reference, index: NameIndex) -> None:
    """An id is not replaced by a guess; the notice stays as it is."""
    notice = SeizureNotice(substances=[Substance(substance_id="herion"), Substance(substance_id="Героин")])
    typed, named = reference.mentions(notice, known, index, ("kaz",), REPORTED)
    for each in (typed, named):
        assert each.substance is None
        assert each.remark is not None
        assert each.remark.code == "reference_unknown"
        assert "heroin" in each.remark.message("en")
    assert typed.remark is not None
    assert typed.remark.path == "substances[0].substance_id"


def test_a_name_nobody_knows_is_no_error(known: Reference, index: NameIndex) -> None:
    """A substance named in words stays as named; a street name of several substances is not decided."""
    notice = SeizureNotice(substances=[Substance(as_named="неизвестный порошок"), Substance(as_named="ice")])
    assert [(each.name, each.substance, each.remark) for each in
            reference.mentions(notice, known, index, ("kaz",), REPORTED)] == [
        ("неизвестный порошок", None, None), ("ice", None, None)]  # fmt: skip


def test_a_content_without_substances_mentions_none(known: Reference, index: NameIndex) -> None:
    """Kinds that have no substances need no reference data; endless lists are cut."""
    assert not reference.mentions_any(FreeMessage(subject="x", text="heroin"))
    endless = SeizureNotice(substances=[Substance(as_named="heroin")] * (MAX_MENTIONS + 5))
    assert reference.mentions_any(endless)
    assert len(reference.mentions(endless, known, index, (), REPORTED)) == MAX_MENTIONS
