"""The README does not lie: its commands run, its links lead somewhere, its targets exist.

The commands run in a clean clone of what is committed. So that this takes a minute and not three, the clone's virtual
environment borrows the third-party packages of the one that runs the tests; the project itself is installed from the
clone by the clone's own `make`.
"""

import os
import re
import shutil
import site
import subprocess
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

SECONDS: Final = 600
"""A limit, not a measure: two shared cores, and everything in it starts processes."""

KEPT: Final = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHASHSEED")
"""Variables of the environment, without those of make or a virtual environment."""

BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"\]\(([^)#:]+)\)")
TARGET: Final = re.compile(r"`make ([a-z-]+)`")


@pytest.fixture
def environment() -> Mapping[str, str]:
    """The environment of a newcomer's shell."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | {"LANG": "C.UTF-8"}


@pytest.fixture
def clone(root: Path, tmp_path: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """A clean clone with a virtual environment that needs no download; nothing runs in it afterwards."""
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("no git here, or not a git checkout: there is nothing to clone")
    folder = tmp_path / "c"
    settings = tmp_path / "gitconfig"
    settings.write_text("[safe]\n\tdirectory = *\n")  # the checkout may have any owner
    git = ["git", "clone", "--quiet", "--no-hardlinks", str(root), str(folder)]
    subprocess.run(git, check=True, env={**environment, "GIT_CONFIG_GLOBAL": str(settings)})
    python = folder / ".venv/bin/python"
    venv.create(folder / ".venv", with_pip=False, symlinks=True)
    (own,) = folder.glob(".venv/lib/python3.*/site-packages")
    # As plain folders on the path, they bring their packages and nothing that is installed editable.
    (own / "borrowed.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    (folder / ".venv/.locked").touch()
    yield folder
    subprocess.run([python, "-m", "tests.demo", "down"], cwd=folder, env=environment, check=False)


@pytest.mark.timeout(SECONDS)
def test_every_command_works_in_a_clean_clone(clone: Path, environment: Mapping[str, str]) -> None:
    """All blocks marked sh, one after the other in one shell, succeed, and leave no node behind."""
    blocks = BLOCK.findall((clone / "README.md").read_text())
    assert blocks[0] == "make demo\n"
    script = clone.parent / "readme.sh"
    script.write_text("set -eu\n" + "\n".join(blocks))
    ran = subprocess.run(
        ["bash", str(script)],
        cwd=clone,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout[-6000:]}\n{ran.stderr[-3000:]}"
    assert "All held:" in ran.stdout
    assert "The evidence holds." in ran.stdout
    assert "Stopped: kaz, tjk, uzb, centre." in ran.stdout
    assert not list(clone.glob("run/nodes/*/node.pid"))


def test_every_link_leads_to_a_file(root: Path) -> None:
    """Every path that the README names exists."""
    links = LINK.findall((root / "README.md").read_text())
    assert links
    assert [link for link in links if not (root / link).exists()] == []


def test_every_target_exists(root: Path) -> None:
    """Every make target the README names is one of the Makefile's."""
    (declared,) = re.findall(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert set(TARGET.findall((root / "README.md").read_text())) <= set(declared.split())
