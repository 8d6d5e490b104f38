"""Members that prepare a ceremony, each in a folder of its own: node and keys made by the commands themselves."""

import contextlib
import io
from pathlib import Path

import pytest

from paiza_node.__main__ import run as run_node
from paiza_trust.__main__ import main

FEDERATION = "pilot.example"
FOUNDERS = ("kaz", "tjk", "uzb")
PASSPHRASE = b"correct horse battery staple"
NAMES = {
    "kaz": ("Казахстан", "Kazakhstan"),
    "tjk": ("Таджикистан", "Tajikistan"),
    "uzb": ("Узбекистан", "Uzbekistan"),
    "kgz": ("Кыргызстан", "Kyrgyzstan"),
}


def trust(*arguments: object) -> str:
    """Run a command of `paiza-trust` that must succeed; return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == 0, arguments
    return printed.getvalue()


def prepare(folder: Path, member: str, endpoint: str = "127.0.0.1:7401") -> Path:
    """Make a member's folder with its node, its own keys and its application; return the application."""
    folder.mkdir(parents=True, exist_ok=True)
    phrase = folder / "phrase"
    phrase.write_bytes(PASSPHRASE + b"\n")
    phrase.chmod(0o600)
    init = ["init", "--member", member, "--federation", FEDERATION, "--folder", str(folder / "node")]
    with contextlib.redirect_stdout(io.StringIO()):
        assert run_node([*init, "--listen", endpoint, "--endpoint", endpoint, "--passphrase-file", str(phrase)]) == 0
    russian, english = NAMES[member]
    application = folder / f"{member}.application"
    names = ("--name-ru", russian, "--name-en", english)
    keys = ("--keys", folder / "trust", "--passphrase-file", phrase)
    trust("apply", folder / "node", *names, *keys, "-o", application)
    return application


def propose(folder: Path, *applications: Path, threshold: int = 2) -> Path:
    """Propose to found a federation; return the proposal."""
    proposal = folder / "founding.proposal"
    trust("found", FEDERATION, *applications, "--threshold", threshold, "-o", proposal)
    return proposal


def found(folder: Path, endpoints: dict[str, str]) -> Path:
    """Found a federation of these members, each in a folder of its own, by files alone; return its register."""
    applications = [prepare(folder / member, member, endpoint) for member, endpoint in endpoints.items()]
    proposal = propose(folder, *applications)
    for member in endpoints:
        trust("sign", proposal, "--keys", folder / member / "trust", "--yes")
    register = folder / "founding.register"
    trust("publish", proposal, "--node", folder / next(iter(endpoints)) / "node", "-o", register)
    for member in endpoints:
        with contextlib.redirect_stdout(io.StringIO()):
            assert run_node(["join", str(register), "--config", str(folder / member / "node/node.toml"), "--yes"]) == 0
    return register
