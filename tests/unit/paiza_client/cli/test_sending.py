"""What `paiza send` says about itself."""

import pytest

from paiza_client.__main__ import run
from paiza_domain import kinds


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_the_help_lists_every_kind_with_its_title(
    lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind outside a controlled delivery stands on a line with its title in the reader's language."""
    monkeypatch.setenv("PAIZA_LANG", lang)
    monkeypatch.setenv("COLUMNS", "300")
    assert run(["send", "--help"]) == 0
    lines = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()]
    titles = {line[0]: line[1].strip() for line in lines if len(line) > 1}
    for name, kind in kinds.all_kinds().items():
        assert name in titles or kind.workflow
        assert titles.get(name) == (None if kind.workflow else kind.titles[lang])
    assert "cd-…" in titles
