"""A node that is restored while another member blocks it: nothing of its history is signed twice, nothing is lost."""

import time
from pathlib import Path

import pytest

from paiza.officer.v1 import officer_pb2
from tests.integration.node.conftest import SECONDS
from tests.system.recovery.conftest import Drill

WHY = "Its machine was stolen."


@pytest.mark.parametrize("drill", ["sqlite"], indirect=True)
def test_a_blocked_member_is_restored_and_recovers_after_the_block(drill: Drill, tmp_path: Path) -> None:
    """The blocker still shows the checkpoints it holds, so that the restore sees the loss; messages come back later."""
    file, blocker = tmp_path / "kaz.backup", str(drill.federation.node("uzb").config)
    code, told = drill.kaz("backup", file)
    assert code == 0, told
    drill.exchange("kaz", ["uzb"], 2)
    drill.exchange("kaz", ["tjk"], 1)
    drill.lose()
    code, told = drill.command("peers", "block", "kaz", "--reason", WHY, "--config", blocker)
    assert code == 0, told
    drill.federation.node("tjk").stop()  # only the blocker can show that there was more than the backup
    code, told = drill.kaz("restore", file, "--without", "tjk")
    assert (code, told["reason"]) == (3, "log_continues")
    drill.federation.start("tjk")
    drill.admit(told["remedy"].split("with the key ")[1].split()[0])
    code, told = drill.kaz("restore", file)
    assert code == 0, told
    drill.federation.start("kaz")
    kaz = drill.federation.node("kaz")
    deadline = time.monotonic() + SECONDS
    while list(kaz.status().recovering_from) != ["uzb"]:
        assert time.monotonic() < deadline, kaz.status().recovering_from
        time.sleep(0.1)
    assert len(drill.listed("kaz", officer_pb2.BOX_SENT)) == 1
    code, told = drill.command("peers", "unblock", "kaz", "--reason", "New keys.", "--config", blocker)
    assert code == 0, told
    drill.recovered()
    assert set(drill.listed("kaz", officer_pb2.BOX_SENT)) == set(drill.sent["kaz"])
    drill.verify_all()
