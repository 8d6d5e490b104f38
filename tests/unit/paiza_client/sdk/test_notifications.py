"""Notification outside a window: what is told, to whom, how often, and that nothing of a message leaves."""

import asyncio
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from paiza.core.v1 import message_pb2
from paiza.officer.v1 import notice_pb2
from paiza_client.sdk import notifications
from paiza_client.sdk.model import MessageSummary
from paiza_client.sdk.notifications import Level, Notifications, Settings, level_of
from paiza_officer.errors import ProfileProblem
from paiza_officer.profiles import Profile
from paiza_wire.identity import SpiffeId

SECRET = "Grey lorry with a cavity"


def profile(folder: Path) -> Profile:
    """Make the profile of a folder."""
    officer = SpiffeId.parse("spiffe://kaz.east.example/officer/liaison")
    return Profile("kaz-liaison", folder, officer, "", Path(), Path(), Path(), Path(), Path())


def program(folder: Path, name: str = "page-me", body: str = "") -> Path:
    """Write a program that notes its arguments, its input and its environment, a line each call."""
    path = folder / name
    noted = folder / f"{name}.calls"
    path.write_text(
        "#!/usr/bin/env python3\nimport json, os, sys\n"
        f"with open({str(noted)!r}, 'a') as file:\n"
        "    print(json.dumps([sys.argv[1:], sys.stdin.read(), dict(os.environ)]), file=file)\n" + body
    )
    path.chmod(0o700)
    return path


def calls(path: Path) -> list[Any]:
    """Return what a program was called with."""
    noted = path.with_name(f"{path.name}.calls")
    return [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []


def message(
    urgency: "message_pb2.Urgency.ValueType" = message_pb2.URGENCY_FLASH, *, digest: bytes = b"d" * 32, **more: Any
) -> MessageSummary:
    """Make a message as a watch tells of it."""
    header = message_pb2.Header(kind="free-message", urgency=urgency, author="tjk")
    states: dict[str, Any] = {"received": True, "opened": False, "opened_by_caller": False, **more}
    return MessageSummary(
        digest=digest,
        header=header,
        thread_name=SECRET,
        stored_time=datetime.now(UTC),
        deliveries=(),
        sequence=1,
        **states,
    )


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (message(), Level.FLASH),
        (message(message_pb2.URGENCY_URGENT), Level.URGENT),
        (message(message_pb2.URGENCY_ROUTINE), None),
        (message(received=False), None),
        (message(opened=True), None),
        (notice_pb2.Notice(code="search_match"), Level.NOTICE),
        (notice_pb2.Notice(code="task_escalated"), Level.URGENT),
        (notice_pb2.Notice(code="review_due", overdue=True), Level.URGENT),
        (notice_pb2.Notice(code="overlap"), None),
    ],
)
def test_what_rings_and_how_loud(event: object, level: Level | None) -> None:
    """What was sent, or was opened by somebody, is told to nobody."""
    assert level_of(event) is level


async def test_a_command_is_told_nothing_of_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arguments are those of the settings; its environment is what it needs to run, and how urgent it is."""
    monkeypatch.setenv("PAIZA_PASSPHRASE", "secret")
    paged = program(tmp_path)
    rang: list[str] = []
    settings = Settings(command=(str(paged), "--quiet", "$(touch x); `id`"))
    async with Notifications(settings, ring=lambda: rang.append("bell"), failed=rang.append) as notified:
        notified.tell(message())
    ((arguments, given, environment),) = calls(paged)
    assert arguments == ["--quiet", "$(touch x); `id`"]
    assert given == ""
    assert environment["PAIZA_NOTICE"] == "flash"
    assert not {"PAIZA_PASSPHRASE"} & set(environment)
    assert SECRET not in json.dumps([arguments, environment])
    assert "tjk" not in json.dumps(arguments)
    assert rang == ["bell"]


async def test_desktop_and_mail_say_a_fixed_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the programs of this machine; one that is not installed is told once."""
    shown, mailed = program(tmp_path, "notify-send"), program(tmp_path, "sendmail")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(notifications, "_SENDMAIL", str(tmp_path))
    failed: list[str] = []
    settings = Settings(bell=False, desktop=True, email="duty@agency.example")
    async with Notifications(settings, ring=lambda: None, failed=failed.append) as notified:
        notified.tell(message())
    ((arguments, _, _),) = calls(shown)
    assert arguments[-2:] == ["Paiza", "Act now: something urgent waits for you in Paiza."]
    ((arguments, given, _),) = calls(mailed)
    assert arguments == ["-i", "--", "duty@agency.example"]
    assert SECRET not in given
    assert "Act now" in given
    assert failed == []
    monkeypatch.setattr(notifications, "_SENDMAIL", str(tmp_path / "nowhere"))
    async with Notifications(settings, ring=lambda: None, failed=failed.append) as notified:
        notified.ring(Level.FLASH)
        notified.ring(Level.FLASH)
    assert failed == ["The notification by email fails: it is not installed"]


async def test_a_program_that_fails_or_hangs_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended and told once."""
    failed: list[str] = []
    for body, why, seconds in (
        ("sys.exit(3)\n", "it ended with the code 3", 60.0),
        ("import time; time.sleep(60)\n", "it does not end", 0.5),
    ):
        monkeypatch.setattr(notifications, "RUN_SECONDS", seconds)
        paged = program(tmp_path, body=body)
        settings = Settings(bell=False, command=(str(paged),))
        async with Notifications(settings, ring=lambda: None, failed=failed.append) as notified:
            notified.ring(Level.FLASH)
        assert failed[-1].endswith(why)


async def test_flash_rings_until_it_is_opened_or_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again after the time that is set; another message tells of it once."""
    moment = 0.0
    monkeypatch.setattr(Notifications, "_now", staticmethod(lambda: moment))
    rang: list[str] = []
    notified = Notifications(Settings(repeat_minutes=2), ring=lambda: rang.append("bell"), failed=rang.append)

    async def later(seconds: float) -> None:
        nonlocal moment
        moment += seconds
        task = asyncio.create_task(notified._repeat())
        await asyncio.sleep(0.05)
        task.cancel()

    notified.tell(message())
    notified.tell(message())
    assert len(rang) == 1
    await later(119)
    assert len(rang) == 1
    await later(1)
    assert len(rang) == 2
    notified.tell(message(opened=True))
    assert not notified.waiting
    await later(1000)
    notified.tell(message())
    assert len(rang) == 2  # it was opened: a change of it does not ring again
    notified.tell(message(digest=b"e" * 32))
    assert (len(rang), notified.waiting) == (3, True)
    notified.acknowledge()
    await later(1000)
    assert (len(rang), notified.waiting) == (3, False)


async def test_what_comes_in_a_pause_is_told_together_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood does not call a program for each message; FLASH does not wait."""
    monkeypatch.setattr(notifications, "PAUSE_SECONDS", {"bell": 0.0, "command": 3.0})
    paged = program(tmp_path)
    settings = Settings(bell=False, command=(str(paged),))
    async with Notifications(settings, ring=lambda: None, failed=lambda _text: None) as notified:
        for number in range(20):
            notified.tell(message(message_pb2.URGENCY_URGENT, digest=number.to_bytes(32, "big")))
        async with asyncio.timeout(60):
            while notified._owed:  # noqa: ASYNC110 - the pause ends at some time, of which nothing tells
                await asyncio.sleep(0.01)
    assert [environment["PAIZA_NOTICE"] for *_, environment in calls(paged)] == ["urgent", "urgent"]
    async with Notifications(settings, ring=lambda: None, failed=lambda _text: None) as notified:
        notified.ring(Level.URGENT)
        notified.ring(Level.FLASH)
    assert sorted(environment["PAIZA_NOTICE"] for *_, environment in calls(paged)[2:]) == ["flash", "urgent"]


def test_settings_are_written_and_read(tmp_path: Path) -> None:
    """For their owner alone; without a file the bell rings."""
    paged = program(tmp_path)
    assert notifications.read(profile(tmp_path)) == Settings()
    settings = Settings(
        bell=False, desktop=True, command=(str(paged), 'a "b" \\ c'), email="duty@agency.example", repeat_minutes=5
    )
    notifications.write(profile(tmp_path), settings)
    assert notifications.read(profile(tmp_path)) == settings
    assert stat.S_IMODE((tmp_path / "notify.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("bel = true", "bel"),
        ('bell = "yes"', "bell"),
        ('command = "/bin/true"', "command"),
        ('command = ["true"]', "command"),
        ('command = ["/no/such/program"]', "command"),
        ('command = ["/etc/passwd"]', "command"),
        ('command = ["/tmp"]', "command"),
        ('email = "-oQ/tmp@x"', "email"),
        ('email = "a@b, c@d"', "email"),
        ('email = "a@b\\nBcc: c@d"', "email"),
        ("repeat_minutes = 0", "repeat_minutes"),
        ("repeat_minutes = true", "repeat_minutes"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, key: str) -> None:
    """Before the watch begins."""
    (tmp_path / "notify.toml").write_text(text)
    with pytest.raises(ProfileProblem) as caught:
        notifications.read(profile(tmp_path))
    assert [each.where.rpartition(": ")[2] for each in caught.value.problems] == [key]


def test_a_program_that_others_may_change_is_not_run(tmp_path: Path) -> None:
    """It would run with the officer's rights."""
    paged = program(tmp_path)
    paged.chmod(0o777)
    (tmp_path / "notify.toml").write_text(f'command = ["{paged}"]')
    with pytest.raises(ProfileProblem):
        notifications.read(profile(tmp_path))


@pytest.mark.parametrize("wrong", ["\x00", "a\nb", "\ud800", "x" * 20_000])
def test_nothing_is_stored_that_cannot_be_read(tmp_path: Path, wrong: str) -> None:
    """What a form may send is refused in words, and the settings stay as they were."""
    for each in (Settings(command=("/bin/true", wrong)), Settings(email=wrong)):
        with pytest.raises(ProfileProblem, match="bad_configuration"):
            notifications.write(profile(tmp_path), each)
    many = Settings(command=("/bin/true", *["ж" * 1000] * 10))
    with pytest.raises(ProfileProblem, match="bad_configuration"):
        notifications.write(profile(tmp_path), many)
    assert notifications.read(profile(tmp_path)) == Settings()
