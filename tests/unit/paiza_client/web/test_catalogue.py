"""The console's own texts are complete in both languages."""

import io
import re
from contextlib import redirect_stderr
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from paiza_client.web import language

PACKAGE = Path(language.__file__).parent
CATALOGUE = language.LOCALES / "ru" / "LC_MESSAGES" / "paiza_web.po"
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
FIELD = re.compile(r"\{[^{}!]*")


def msgids() -> set[str]:
    """Return every marked text of the modules and templates; of a counting one, the first."""
    kinds = [("**.py", "python"), ("**.html", "jinja2")]
    with redirect_stderr(io.StringIO()):  # babel remarks on empty texts
        found = {each[2] for each in extract_from_dir(str(PACKAGE), kinds, keywords=KEYWORDS)}
    return {each if isinstance(each, str) else each[0] for each in found} - {""}


def test_every_text_has_its_russian() -> None:
    """Every text that a page shows has a translation with the same places to fill; none is unused."""
    with CATALOGUE.open("rb") as lines:
        catalogue = {each.id if isinstance(each.id, str) else each.id[0]: each for each in read_po(lines) if each.id}
    assert msgids() - set(catalogue) == set()
    assert set(catalogue) - msgids() == set()
    for name, each in catalogue.items():
        forms = [each.string] if isinstance(each.string, str) else each.string or ()
        assert forms, name
        assert all(forms), name
        assert all(sorted(FIELD.findall(form)) == sorted(FIELD.findall(name)) for form in forms), name
