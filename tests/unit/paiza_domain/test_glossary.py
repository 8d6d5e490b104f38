"""The Russian catalogues keep to the glossary: one Russian term for one English term."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from paiza_domain import codes

CATALOGUES = (
    "certs/paiza_trust/locale/ru/LC_MESSAGES/paiza_trust.po",
    "client/paiza_client/locale/ru/LC_MESSAGES/paiza_client.po",
    "node/paiza_node/ops/locale/ru/LC_MESSAGES/paiza_node.po",
    "proto/paiza_domain/locale/ru/LC_MESSAGES/paiza_domain.po",
)
COLUMNS = 4  # English, Russian, Not, Source


def terms(root: Path) -> list[list[str]]:
    """Return the cells of every term of the glossary."""
    lines = (root / "proto/paiza_domain/locale/GLOSSARY.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in rows if len(row) == COLUMNS and row[0] != "English"]


def forbidden(root: Path) -> dict[str, str]:
    """Return each beginning of a word that no Russian text has, with the term to use in its place."""
    return {
        stem.strip(): russian for _term, russian, stems, _source in terms(root) for stem in stems.split(";") if stem
    }


def test_terms_are_complete_and_differ(root: Path) -> None:
    """Every term has its Russian and its source, and stands once."""
    found = terms(root)
    assert len(found) > 120
    assert [row[0] for row in found if not row[1] or not row[3]] == []
    assert len({row[0] for row in found}) == len(found)


def violations(root: Path, texts: list[str]) -> list[tuple[str, str]]:
    """Return every text that has a forbidden word, with the term to use in its place."""
    patterns = {re.compile(rf"(?<!\w){re.escape(stem)}"): russian for stem, russian in forbidden(root).items()}
    return [(text, russian) for text in texts for each, russian in patterns.items() if each.search(text.lower())]


@pytest.mark.parametrize("path", CATALOGUES)
def test_no_text_has_a_forbidden_word(root: Path, path: str) -> None:
    """Russian texts use no word that the glossary replaces."""
    with (root / path).open("rb") as lines:
        texts = [text for each in read_po(lines, locale="ru") if each.id for text in _forms(each.string)]
    assert violations(root, texts) == []


def test_no_code_list_has_a_forbidden_word(root: Path) -> None:
    """The code lists are read beside the catalogues and use the same terms."""
    entries = [code for name in codes.names() for code in codes.load(name).values()]
    assert violations(root, [text for each in entries for text in (each.names["ru"], each.note.get("ru", ""))]) == []


def _forms(string: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [string] if isinstance(string, str) else list(string or [])
