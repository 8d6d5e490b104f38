"""The commands on the law between states."""

from types import SimpleNamespace

import pytest

from paiza_client.cli import laws
from paiza_client.cli.terminal import Terminal
from paiza_officer.errors import Refused


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference data of a federation that was founded without profiles."""
    known = SimpleNamespace(reference=SimpleNamespace(profiles={}), members=frozenset({"kaz"}))
    monkeypatch.setattr(laws, "data", lambda _terminal: known)


@pytest.mark.parametrize(("options", "printed"), [((), ""), (("--json",), "null\n")])
def test_a_member_without_a_profile_is_no_stranger(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], printed: str
) -> None:
    """A member that has published nothing is told from one that the register does not know."""
    laws.profile.main(["KAZ", *options], obj=Terminal(), standalone_mode=False)
    out, err = capsys.readouterr()
    assert out == printed
    assert ("kaz has published no profile yet." in err) == (not options)
    with pytest.raises(Refused, match="unknown_member"):
        laws.profile.main(["atlantis"], obj=Terminal(), standalone_mode=False)
