"""The operator's two languages: chosen before commands are built, and complete."""

import io
import re
from contextlib import redirect_stderr
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from paiza_cli.language import Language
from paiza_node.ops import language
from paiza_node.ops.cli.frame import sentences
from paiza_node.ops.cli.verify import COUNTED
from paiza_node.ops.terminal import shown_bytes, shown_time
from paiza_wire.reasons import REASONS

PACKAGE = Path(language.__file__).parents[2]
CATALOGUE = language.LOCALES / "ru" / "LC_MESSAGES" / "paiza_node.po"
FIELD = re.compile(r"\{[^{}!]*|%\([a-z]+\)s")  # without !r: each language has quotation marks of its own


def msgids() -> set[str]:
    """Return every text that the commands can show: marked ones, and those of the reason codes."""
    with redirect_stderr(io.StringIO()):  # babel remarks on empty texts
        keywords = {"_": None, "N_": None, "NN_": (1, 2), "ngettext": (1, 2)}
        found = {each[2] for each in extract_from_dir(str(PACKAGE), [("**.py", "python")], keywords=keywords)}
    found |= {sentence for reason in REASONS for sentence in sentences(reason)}
    return {each if isinstance(each, str) else each[0] for each in found}


def test_every_text_has_its_russian() -> None:
    """Every text that can be shown has a translation; none is fuzzy or unused."""
    with CATALOGUE.open("rb") as lines:
        catalogue = read_po(lines, locale="ru")
    translated = {each.id if isinstance(each.id, str) else each.id[0]: each for each in catalogue if each.id}
    assert msgids() - set(translated) == set()
    forms = {name: [each.string] if isinstance(each.string, str) else each.string for name, each in translated.items()}
    assert [name for name in translated if translated[name].fuzzy or not all(forms[name] or [])] == []
    assert set(translated) - msgids() == set()


def test_no_text_has_a_word_that_is_not_plain() -> None:
    """Every text is in present-day English that a reader with a dictionary understands."""
    assert [each for each in msgids() if re.search(r"\b(whoever|mend|thereof)\b|^Give more", each, re.IGNORECASE)] == []


def test_translations_keep_the_places_to_fill() -> None:
    """A Russian text has exactly the {places} of the English one."""
    with CATALOGUE.open("rb") as lines:
        for each in read_po(lines, locale="ru"):
            if each.id and isinstance(each.id, str) and isinstance(each.string, str):
                assert sorted(FIELD.findall(each.string)) == sorted(FIELD.findall(each.id)), each.id


@pytest.mark.parametrize(
    ("lang", "shown"),
    [
        ("ru", ("1\u00a0000 КиБ", "5 часов", "03.11.2026 04:05:06 UTC", "21 запись", "3 записи", "11 записей")),
        ("en", ("1.2 TiB", "5 hours", "2026-11-03 04:05:06 UTC", "21 entries", "3 entries", "11 entries")),
    ],
)
def test_numbers_and_times_follow_the_language(lang: Language, shown: tuple[str, ...]) -> None:
    """Output follows the conventions of the language in use; counted nouns take its form."""
    language.use(lang)
    size = shown_bytes(1000 * 1024 if lang == "ru" else 1.2 * 1024**4)
    texts = [size, language.span_text(timedelta(hours=5)), shown_time(datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC))]
    texts += [language.ngettext(*COUNTED["entries"], count).format(n=count) for count in (21, 3, 11)]
    assert tuple(texts) == shown
