"""The wheel, built and installed into an environment of its own, is whole."""

import json
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

PACKAGES = {
    "paiza": "proto",
    "paiza_wire": "proto",
    "paiza_register": "proto",
    "paiza_domain": "proto",
    "paiza_node": "node",
    "paiza_client": "client",
    "paiza_officer": "client",
    "paiza_cli": "client",
    "paiza_trust": "certs",
}
NOT_SHIPPED = {".pyc", ".mo"}  # the .mo are expected from their .po, whether or not they lie in the tree
IMPORT_ALL = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__file__ for name in sys.argv[1:]}))
"""
CATALOGUE = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"

msgid "delivered"
msgstr "доставлено"
"""


def build(tree: Path, folder: Path) -> Path:
    """Build the wheel of `tree` into `folder`, with the build backend of this environment."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=tree,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a copy of the sources, to which a catalogue without its .mo was added."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(root / name, tree)
    for source_root in set(PACKAGES.values()):
        unwanted = shutil.ignore_patterns("__pycache__", "*.mo")
        shutil.copytree(root / source_root, tree / source_root, ignore=unwanted)
    catalogue = tree / "client/paiza_client/locale/ru/LC_MESSAGES/smoke.po"
    catalogue.parent.mkdir(parents=True, exist_ok=True)
    catalogue.write_text(CATALOGUE, encoding="utf-8")
    return build(tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh environment, which borrows the dependencies of this one.

    A folder added by a .pth is searched, but its own .pth files are not followed: the editable
    install of this environment stays invisible there.
    """
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    python = str(environment / "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--disable-pip-version-check", "--ignore-installed", str(wheel)], check=True)
    return environment


def test_every_file_of_the_packages_is_in_the_wheel(root: Path, wheel: Path) -> None:
    """The wheel contains every file of a package (.proto, .toml, .json, .cedar, .po, revisions)."""
    expected = {
        str(path.relative_to(root / source_root))
        for package, source_root in PACKAGES.items()
        for path in (root / source_root / package).rglob("*")
        if path.is_file() and path.suffix not in NOT_SHIPPED
    }
    assert "paiza_wire/py.typed" in expected
    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_every_catalogue_is_compiled_in_the_wheel(wheel: Path) -> None:
    """Each .po has its .mo beside it, although git ignores the .mo."""
    names = set(zipfile.ZipFile(wheel).namelist())
    catalogues = {name for name in names if name.endswith(".po")}
    assert "paiza_client/locale/ru/LC_MESSAGES/smoke.po" in catalogues
    assert {name.removesuffix(".po") + ".mo" for name in catalogues} - names == set()


def test_a_compiled_catalogue_translates(installed: Path) -> None:
    """The gettext module finds the translations of an installed catalogue."""
    show = (
        "import gettext, pathlib, paiza_client;"
        "folder = pathlib.Path(paiza_client.__file__).parent / 'locale';"
        "print(ascii(gettext.translation('smoke', folder, ['ru']).gettext('delivered')))"
    )
    shown = subprocess.run([str(installed / "bin/python"), "-c", show], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == ascii("доставлено")


def test_every_package_is_imported_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """All packages import, and from the fresh environment, not from the source tree."""
    command = [str(installed / "bin/python"), "-c", IMPORT_ALL, *PACKAGES, "paiza.core.v1.message_pb2"]
    shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    places = json.loads(shown.stdout)
    assert {name for name, place in places.items() if not place.startswith(str(installed))} == set()


@pytest.mark.parametrize("program", ["paiza", "paiza-node", "paiza-trust"])
def test_every_program_says_its_version(installed: Path, tmp_path: Path, program: str) -> None:
    """Each console script starts and names itself."""
    command = [str(installed / "bin" / program), "--version"]
    shown = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert shown.stdout.split()[0].startswith(program)
