"""`paiza import`: what it writes about a table."""

import os
import stat
from pathlib import Path

from paiza_cli.exit_codes import ExitCode
from paiza_client.__main__ import run


def test_a_proposed_map_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It names values of the table; a file that is there, or a link, is not written to."""
    table, proposed, link = tmp_path / "table.csv", tmp_path / "map.toml", tmp_path / "link.toml"
    table.write_text("date;drug\n2026-01-02;heroin\n")
    link.symlink_to(tmp_path / "elsewhere")
    before = os.umask(0)
    try:
        assert run(["import", "suggest", str(table), "-o", str(proposed)]) == ExitCode.OK
        assert run(["import", "suggest", str(table), "-o", str(link)]) != ExitCode.OK
    finally:
        os.umask(before)
    assert stat.S_IMODE(proposed.stat().st_mode) == 0o600
    assert not (tmp_path / "elsewhere").exists()
