"""The disk of the database server, as far as the node can see it."""

import os
from functools import cache
from pathlib import Path

import pytest

from paiza_node.core.log.disk_reserve import free_bytes
from paiza_node.core.storage import open_store, server_disk
from paiza_node.core.storage.server_disk import server_folder


def test_server_on_this_machine_shows_its_disk(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its free space is asked together with that of the data folder; SQLite's file lies in that."""
    store = open_store(database_url)
    with store.reads() as reads:
        folder = server_folder(reads)
    store.close()
    if database_url.startswith("sqlite"):
        assert folder is None
        return
    assert folder is not None
    monkeypatch.setattr("os.statvfs", cache(os.statvfs))  # other tests write to the same disk meanwhile
    assert free_bytes(tmp_path, folder) <= free_bytes(folder)


@pytest.mark.parametrize("hidden", ["role", "machine"])
def test_server_that_hides_its_disk_is_not_guessed(
    database_url: str, hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role may not see where it is, or the folder is not on this machine."""
    store = open_store(database_url)
    if hidden == "machine":
        question = server_disk._FOLDER.replace("SELECT setting", "SELECT '/of/another' || setting")
        monkeypatch.setattr(server_disk, "_FOLDER", question)
    with store.reads() as reads:
        if hidden == "role" and reads.database == "postgresql":
            reads.run("SET ROLE pg_read_all_stats")
        assert server_folder(reads) is None
    store.close()


def test_the_fuller_disk_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages fill both."""
    free = {Path("data"): 7, Path("server"): 3}
    monkeypatch.setattr("os.statvfs", lambda folder: type("Found", (), {"f_bavail": free[folder], "f_frsize": 2}))
    assert free_bytes(Path("data"), Path("server")) == 6
    assert free_bytes(Path("data")) == 14
