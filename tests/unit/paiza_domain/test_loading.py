"""A program that has loaded the domain opens none of its files later."""

import subprocess
import sys

PROGRAM = """
import sys
from paiza_domain import codes, i18n, kinds, loading

loading.load_all()
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == "open" else None)
for name in codes.names():
    codes.load(name)
for kind in kinds.all_kinds().values():
    assert all(kind.titles.values())
assert i18n.translate("Planned", "ru") is not None
i18n.ngettext("{n} day", "{n} days", 2, "ru")
assert not opened, opened
"""


def test_nothing_is_read_once_all_is_loaded() -> None:
    """No file is opened for a code list, a kind or a text."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
