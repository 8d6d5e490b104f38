"""The form of every kind as a page: hostile words are text in every field, every field has a name and a place."""

from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

import pytest
from typing_extensions import override

from paiza_client.web import language, rendering
from paiza_domain import kinds
from paiza_domain.forms import layout
from paiza_domain.forms.description import describe
from paiza_domain.forms.layout import Box
from tests.unit.paiza_domain.forms.test_forms_of_kinds import boxes, everything

HOSTILE: Final = '"><script>alert(1)</script>{{ 7*191 }}</textarea><b onclick=x>\u202e\x1b[31m'
PAGE: Final = """{% from "fields.html" import parts, more, block %}
{% for each in form.pages %}{% if each.block %}{{ block(each.block, members) }}{% endif %}
{{ parts(each.boxes, members) }}{{ more(each.more, members) }}{% endfor %}"""


@pytest.fixture(params=["en", "ru"])
def lang(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each language in turn."""
    language.use(request.param)
    yield request.param
    language.use("en")


class Marks(HTMLParser):
    """The elements of a page: ids, labels, fields without a name of their own, and what must not be there."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.labelled: set[str] = set()
        self.fields: list[tuple[str, str]] = []
        self.strange: list[str] = []
        self._in_label = 0
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag in {"script", "b"} or any(name.startswith("on") for name in found):
            self.strange.append(tag)
        if "id" in found:
            self.ids[found["id"]] += 1
        if tag == "label":
            self.labelled.add(found.get("for", ""))
            self._in_label += 1
        if tag in {"input", "select", "textarea"} and found.get("type") != "hidden":
            named = bool(self._in_label) or "aria-label" in found
            self.fields.append((found["name"], "" if named else found.get("id", "?")))

    @override
    def handle_endtag(self, tag: str) -> None:
        self._in_label -= tag == "label"


@pytest.mark.parametrize("name", sorted(kinds.all_kinds()))
def test_hostile_words_are_text_in_every_field_of_every_kind(name: str, lang: str) -> None:
    """No value leaves its field, nothing of it runs or turns the line round; every field has a label of its own."""
    kind = kinds.all_kinds()[name]
    description = describe(kind, lang)
    empty = layout.lay_out(description, everything(kind), {}, lang)
    names = [each.name for each in boxes(empty) if isinstance(each, Box)]
    given = everything(kind) | dict.fromkeys(names, HOSTILE)
    form = layout.lay_out(
        description, given, {each: [HOSTILE] for each in names}, lang, lambda _field, text: text + "!"
    )
    page = rendering.environment().from_string(PAGE).render(form=form, members=[("kaz", HOSTILE)])
    marks = Marks(page)
    assert marks.strange == []
    assert "1337" not in page
    assert not {"\u202e", "\x1b"} & set(page)
    assert [each for each, count in marks.ids.items() if count > 1] == []
    assert [field for field, identity in marks.fields if identity and identity not in marks.labelled] == []
    assert {field for field, _identity in marks.fields} >= set(names)
