"""The operator's view of a running node and of a stopped one, on both databases."""

import asyncio
import os

from tests.integration.node.conftest import MESSAGES, Command, Exchanged, send


def test_status_of_a_running_node(exchanged: Exchanged, command: Command) -> None:
    """Status asks the running node: what it stores, how long the register holds, which peers it reached."""
    code, told = command("status", "--config", exchanged.config)
    assert code == 0
    assert told["runs"] is True
    assert told["messages"] == MESSAGES
    assert told["waiting"] == 0
    assert told["log_entries"] >= 2 * MESSAGES
    assert [(peer["member"], peer["reachable"]) for peer in told["peers"]] == [("tjk", True)]


def test_verify_holds_while_the_node_runs(exchanged: Exchanged, command: Command) -> None:
    """Everything a real exchange leaves is verified: log, rows, messages and the other member's receipts."""
    code, told = command("verify", "--config", exchanged.config)
    assert told["passed"] is True, told
    assert code == 0
    counts = {part["part"]: part["counts"] for part in told["parts"]}
    assert counts["rows"]["deliveries"] == MESSAGES
    assert counts["messages"] == {"messages": MESSAGES, "bodies": MESSAGES}
    assert counts["proofs"]["proofs"] == MESSAGES


def test_verify_holds_at_the_receiver(exchanged: Exchanged, command: Command) -> None:
    """The receiver's answers stand in its log, beside the sender's proofs of release."""
    code, told = command("verify", "--config", str(exchanged.federation.node("tjk").config))
    assert told["passed"] is True, told
    assert code == 0
    counts = {part["part"]: part["counts"] for part in told["parts"]}
    assert counts["rows"]["answers"] == MESSAGES
    assert counts["proofs"]["proofs"] == MESSAGES


def test_doctor_of_a_healthy_node(exchanged: Exchanged, command: Command) -> None:
    """Every check is made; nothing fails, and the peer answers and agrees about the time."""
    code, told = command("doctor", "--config", exchanged.config)
    levels = {check["check"]: check["level"] for check in told["checks"]}
    assert {"node", "keys", "certificate", "register", "database", "disk", "log", "queue", "clock", "tjk"} <= set(
        levels
    )
    assert "fail" not in levels.values(), told
    assert code in (0, 10)
    assert [each["what"] for each in told["checks"] if each["check"] == "clock"] == [
        "Agrees within 2 s; peers compared: 1. Three are needed to tell which clock is wrong."
    ]


def test_queue_while_a_peer_is_away(exchanged: Exchanged, command: Command) -> None:
    """Waiting deliveries are listed with the reason, retried at once, and dropped with the operator's name logged."""
    exchanged.federation.node("tjk").stop()
    digest = asyncio.run(send(exchanged.officer, ["tjk"], 1))[0]
    code, told = command("queue", "show", "--config", exchanged.config)
    (delivery,) = (each for each in told["deliveries"] if each["state"] == "waiting")
    assert (code, delivery["message_digest"], delivery["recipient"]) == (0, digest.hex(), "tjk")
    number = str(delivery["number"])
    assert command("queue", "retry", number, "--config", exchanged.config)[0] == 0
    assert command("queue", "drop", number, "--reason", "sent by hand", "--config", exchanged.config)[0] == 0
    code, told = command("queue", "drop", number, "--reason", "again", "--config", exchanged.config)
    assert (code, told["reason"]) == (3, "unknown_id")
    code, told = command("queue", "show", "--config", exchanged.config)
    assert [each["state"] for each in told["deliveries"]] == ["dropped"]
    code, told = command("doctor", "--config", exchanged.config)
    assert code == 11
    assert [check["check"] for check in told["checks"] if check["level"] == "fail"] == ["tjk"]
    exchanged.federation.node("tjk").start()
    assert command("verify", "--config", exchanged.config)[0] == 0


def test_commands_of_a_stopped_node(exchanged: Exchanged, command: Command) -> None:
    """Commands read the database of a stopped node and say so; changes are refused."""
    exchanged.federation.node("kaz").stop()
    try:
        code, told = command("status", "--config", exchanged.config)
        assert (code, told["runs"], told["messages"]) == (0, False, MESSAGES + 1)
        assert command("peers", "--config", exchanged.config)[1]["runs"] is False
        assert command("queue", "show", "--config", exchanged.config)[1]["runs"] is False
        assert command("verify", "--config", exchanged.config)[0] == 0
        code, told = command("queue", "retry", "1", "--config", exchanged.config)
        assert (code, told["reason"]) == (4, "node_unreachable")
        code, told = command("doctor", "--config", exchanged.config)
        assert code == 10
        assert "node" in [check["check"] for check in told["checks"] if check["level"] == "warn"]
    finally:
        exchanged.federation.node("kaz").start()


def test_key_open_to_others_is_found(exchanged: Exchanged, command: Command) -> None:
    """The doctor fails on a private key that others may read, and names the remedy."""
    key = exchanged.federation.node("kaz").folder / "keys" / "log.key"
    os.chmod(key, 0o644)  # noqa: PTH101 - as an operator would
    try:
        code, told = command("doctor", "--config", exchanged.config)
    finally:
        os.chmod(key, 0o600)  # noqa: PTH101
    (failed,) = (check for check in told["checks"] if check["level"] == "fail" and check["check"] == "keys")
    assert code == 11
    assert "chmod 600" in failed["remedy"]
