"""Every text a person reads has its Russian."""

import string
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from paiza_domain import codes, kinds
from paiza_domain.i18n import translate
from paiza_domain.schema.field_errors import MESSAGES, FieldError


def russian(root: Path) -> Catalog:
    """Read the catalogue's source."""
    with (root / "proto/paiza_domain/locale/ru/LC_MESSAGES/paiza_domain.po").open("rb") as lines:
        return read_po(lines, locale="ru")


def marked(root: Path) -> set[str]:
    """Return every text marked in the code; of one that counts, the first form."""
    keywords = {"N_": None, "NN_": (1, 2)}
    found = extract_from_dir(root / "proto/paiza_domain", keywords=keywords)
    return {each[2] if isinstance(each[2], str) else each[2][0] for each in found if each[2]}


def test_catalogue_and_code_agree(root: Path) -> None:
    """Every marked text has a Russian one; none is unused or fuzzy."""
    catalogue = russian(root)
    translated = {_forms(each.id)[0] for each in catalogue if each.id and all(_forms(each.string))}
    assert translated == marked(root)
    assert not [each.id for each in catalogue if each.fuzzy and each.id]


def test_placeholders_survive_translation(root: Path) -> None:
    """A Russian text has exactly the placeholders of the English one."""

    def names(text: str) -> set[str | None]:
        return {name for _text, name, _format, _conversion in string.Formatter().parse(text) if name is not None}

    for each in russian(root):
        if each.id:
            assert {frozenset(names(text)) for text in (*_forms(each.id), *_forms(each.string))} == {
                frozenset(names(_forms(each.id)[0]))
            }, each.id


def test_every_error_is_said_in_both_languages() -> None:
    """Each code of a field error has its sentence, in either language."""
    values = {
        "value": "x", "codes": "unit", "suggestion": "kg", "most": 1, "least": 0,
        "expected": "y", "character": "U+0000", "problem": "z", "group": "g", "level": 2, "source": "s", "stated": "t",
    }  # fmt: skip
    for code in MESSAGES:
        texts = {lang: FieldError("a", code, values).message(lang) for lang in ("ru", "en")}
        assert texts["ru"] != texts["en"]
        assert "{" not in texts["ru"] + texts["en"]


def test_a_language_we_do_not_have_reads_english() -> None:
    """An unknown language falls back instead of failing."""
    assert translate("Seizure notice", "xx") == "Seizure notice"
    assert translate("", "ru") == ""


def test_every_code_list_named_by_a_shape_exists() -> None:
    """A field cannot name a list that is not there."""
    shapes = [each for kind in kinds.all_kinds().values() for each in (kind.shape, kind.annex_shape) if each]
    while shapes:
        for field in shapes.pop().fields:
            assert not field.codes or len(codes.load(field.codes)) > 0
            if field.shape:
                shapes.append(field.shape)


def _forms(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """Return the forms of a text: several for one that counts."""
    return (text,) if isinstance(text, str) else tuple(text or ("",))
