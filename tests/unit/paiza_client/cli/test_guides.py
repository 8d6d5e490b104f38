"""The guides for officers name commands that there are, and the Russian one says what the English one does."""

import re
from pathlib import Path

import pytest

from paiza_client.cli.root import paiza
from tests import guides
from tests.unit.paiza_domain.test_glossary import violations

LEAST = 120  # commands of a guide
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
ROW = re.compile(r"^\| (`.*?`|\d+|\[.*?\]\(.*?\)) \|", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")
ANCHOR = re.compile(r"\]\(#([^)]+)\)")
CODE = re.compile(r"`([A-Z_]{4,}|[a-z]+_[a-z_]+|--[a-z-]+)`")


@pytest.mark.parametrize("lang", guides.GUIDES)
def test_every_command_exists_with_its_options(root: Path, lang: str) -> None:
    """No command of a guide is refused for its words."""
    found = guides.commands(guides.text_of(root, lang))
    assert len(found) > LEAST
    for each in found:
        command, path, options = guides.resolved(each.words)
        assert path, each.line
        known = {
            name for of in (command, paiza) for param in of.params for name in (*param.opts, *param.secondary_opts)
        }
        assert set(options) <= known | {"--help"}, each.line


def test_both_guides_have_the_same_commands(root: Path) -> None:
    """In the same order, each with the same options."""
    of_each = {
        lang: [guides.resolved(each.words)[1:] for each in guides.commands(guides.text_of(root, lang))]
        for lang in guides.GUIDES
    }
    assert of_each["ru"] == of_each["en"]


def test_both_guides_have_the_same_parts(root: Path) -> None:
    """The same headings by depth, blocks, rows of tables, files linked to, and codes named."""
    texts = {lang: guides.text_of(root, lang) for lang in guides.GUIDES}
    for pattern in (HEADING, ROW):
        assert pattern.findall(texts["ru"]) == pattern.findall(texts["en"])
    assert texts["ru"].count("```") == texts["en"].count("```")
    others = set(guides.GUIDES.values())
    links = {
        lang: {each for each in LINK.findall(text) if f"client/{each}" not in others} for lang, text in texts.items()
    }
    assert links["ru"] == links["en"]
    assert set(CODE.findall(texts["ru"])) == set(CODE.findall(texts["en"]))


@pytest.mark.parametrize("lang", guides.GUIDES)
def test_every_link_leads_somewhere(root: Path, lang: str) -> None:
    """Files exist, and headings in the guide itself."""
    text = guides.text_of(root, lang)
    assert [each for each in LINK.findall(text) if not (root / "client" / each).exists()] == []
    headings = {
        re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(ANCHOR.findall(text)) <= headings


def test_the_russian_guide_keeps_to_the_glossary(root: Path) -> None:
    """It uses the words of the program."""
    assert violations(root, guides.text_of(root, "ru").splitlines()) == []
