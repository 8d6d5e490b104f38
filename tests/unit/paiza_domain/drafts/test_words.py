"""What an officer may write for a value: names instead of codes, commas, Russian dates, members by name."""

import re

import pytest

from paiza.content.v1.common_pb2 import Substance
from paiza.content.v1.seizure_notice_pb2 import SeizureNotice
from paiza_domain import codes, kinds
from paiza_domain.drafts import drafts, templates
from paiza_domain.drafts.drafts import DraftError
from paiza_domain.drafts.members import UNKNOWN, Members
from paiza_domain.kinds.seizure_notice import SHAPE, SUBSTANCE
from paiza_domain.schema import scalars
from tests.unit.paiza_domain.conftest import NOW

MEMBERS = Members({
    "kaz": {"ru": "Казахстан", "en": "Kazakhstan"},
    "kgz": {"ru": "Кыргызстан", "en": "Kyrgyzstan"},
    "centre": {"ru": "Региональный центр", "en": "Regional centre"},
})  # fmt: skip
NOTICE = """kind: seizure-notice
to: {to}
content:
  notice_id: KAZ-1
  notice_version: 1
  status: {status}
  seized_at: {seized_at}
  reporting_agency: Служба
  place: {{country: {country}}}
  substances:
    - as_named: героин
      drug_group: {group}
      quantity: {quantity}
      purity_percent: {purity}
  route_unknown: {flag}
"""
CODES = {
    "to": "kaz", "status": "initial", "seized_at": "2026-11-20", "country": "KAZ", "group": "opioids",
    "quantity": "12.5 kg", "purity": "7.5", "flag": "true",
}  # fmt: skip


def read(**words: str) -> drafts.Draft:
    """Return the draft of a notice in these words."""
    return drafts.read(NOTICE.format(**{**CODES, **words}), now=NOW, members=MEMBERS)


@pytest.mark.parametrize(
    "words",
    [
        {"country": "KZ"},
        {"country": "Казахстан"},
        {"country": "kazakhstan"},
        {"status": "Первичное"},
        {"group": "Опиоиды"},
        {"quantity": "12,5 кг"},
        {"quantity": "12,5кг"},
        {"quantity": "12.5 килограмма"},
        {"quantity": "{amount: '12,5', unit: kilogram}"},
        {"seized_at": "20.11.2026"},
        {"purity": "7,5"},
        {"purity": "7.5 %"},
        {"flag": "да"},
        {"to": "KZ"},
        {"to": "[Казахстан]"},
    ],
)
def test_words_mean_what_their_codes_mean(words: dict[str, str]) -> None:
    """A draft in words and a draft in codes give the same message."""
    plain, worded = read(), read(**words)
    assert (worded.content, worded.recipients) == (plain.content, plain.recipients)


def test_the_digits_of_a_number_are_kept_as_reported() -> None:
    """A trailing zero says how exactly something was weighed; a comma says nothing."""
    notice = read(quantity="1 200,50 кг").content
    assert isinstance(notice, SeizureNotice)
    assert notice.substances[0].quantity.original == "1 200,50"
    assert notice.substances[0].quantity.millionths == 1_200_500_000


@pytest.mark.parametrize("text", ["28.11.2026 14:30 +05:00", "28.11.2026 14:30 (UTC+05:00)", "2026-11-28T14:30+05:00"])
def test_a_time_is_read_as_the_program_shows_it(text: str) -> None:
    """A time copied from what the program printed is understood."""
    shown = drafts.read(NOTICE.format(**{**CODES, "seized_at": text}), now=NOW.replace(day=29), members=MEMBERS).content
    assert isinstance(shown, SeizureNotice)
    assert (shown.seized_at.utc_offset_minutes, shown.seized_at.time.ToJsonString()) == (300, "2026-11-28T09:30:00Z")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ({"seized_at": "31.02.2026"}, "date_impossible", "There is no such date: 31.02.2026."),
        ({"seized_at": "20.11.2026 14:30"}, "offset_missing", "such as: 20.11.2026 14:30+05:00"),
        ({"country": "Казахстн"}, "code_unknown", "Nearest entries: KAZ (Kazakhstan)"),
        ({"quantity": "1.200,5 кг"}, "amount_malformed", "one decimal point or comma"),
        ({"quantity": "12,5"}, "quantity_malformed", "a number and its unit"),
        ({"to": "Кыргызтан"}, "member_unknown", "Did you mean “kgz (Kyrgyzstan)”?"),
        ({"to": "[Атлантида]"}, "member_unknown", "is not a member of the federation"),
    ],
)
def test_a_word_that_means_nothing_is_answered_with_the_nearest(words: dict[str, str], code: str, said: str) -> None:
    """The error has the entries of that list which come nearest, by code and name."""
    with pytest.raises(DraftError) as wrong:
        read(**words)
    assert [each.code for each in wrong.value.errors] == [code]
    assert said in str(wrong.value)


@pytest.mark.parametrize("quantity", ["3 ведра", "12 фунтов"])
def test_an_unknown_word_of_a_short_list_is_answered_with_the_whole_list(quantity: str) -> None:
    """Where nothing is near, the entries of a short list are all named: pounds are no plants («кустов»)."""
    with pytest.raises(DraftError) as wrong:
        read(quantity=quantity)
    assert all(f"{code} ({entry.names['en']})" in str(wrong.value) for code, entry in codes.load("unit").items())


def test_members_are_found_by_every_name() -> None:
    """Id, name in either language, code and name of the state; what names nobody stays as it is."""
    for text in ("kgz", "Кыргызстан", "kyrgyzstan", "KG", "Киргизия"):
        assert MEMBERS.find(text) == "kgz"
    assert MEMBERS.find("региональный центр") == "centre"
    assert MEMBERS.find("Узбекистан") == "Узбекистан"
    assert UNKNOWN.find("Узбекистан") == "uzb"


EXAMPLES = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d)?[+]\d\d:\d\d)?|\d\d\.\d\d\.\d{4}(?: \d\d:\d\d[+]\d\d:\d\d)?"
    r"|\d+[.,]\d+ (?:kg|кг)"
)


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
@pytest.mark.parametrize("lang", ["ru", "en"])
def test_what_a_template_shows_is_accepted(name: str, lang: str) -> None:
    """Every example of a time, a date or a quantity in the comments of a template is read."""
    text = templates.template(kinds.all_kinds()[name], lang, "long")
    shown = {each for line in text.split("\n") if "#" in line for each in EXAMPLES.findall(line)}
    for each in shown:
        quantity = each.endswith(("kg", "кг"))
        field = SUBSTANCE.by_key["quantity"] if quantity else SHAPE.by_key["seized_at"]
        scalars.read(field, each, Substance() if quantity else SeizureNotice())
