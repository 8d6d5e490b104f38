"""A case system hands in a draft, the officer signs it, and the case system of another state takes it out."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import pytest
from jsonschema import Draft202012Validator

from tests import hangups
from tests.federation import Federation

KEY: Final = "case/2026/117"
DRAFT: Final[Mapping[str, Any]] = {
    "kind": "free-message",
    "to": ["tjk"],
    "handling": {"tlp": "AMBER", "code": "H0", "classification": 1},
    "legal_bases": ["exercise-agreement"],
    "review": "1 year",
    "content": {"subject": "Invented matter", "text": "From one case system to another."},
}
SECONDS: Final = 60.0


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """Run two nodes."""
    with Federation.create(tmp_path / "federation", ["kaz", "tjk"]) as made:
        made.start()
        yield made


class Bridge:
    """A running `paiza bridge`, and requests to it."""

    def __init__(self, federation: Federation, profile: str) -> None:
        self._environment = {**os.environ, "PAIZA_HOME": str(federation.home), "LANGUAGE": "en"}
        words = ["--purpose", "investigate", "--reason", "an exercise", "--whom", "the case system", "--json"]
        with hangups.heard():
            self.process = subprocess.Popen(
                [sys.executable, "-m", "paiza_client", "bridge", *words, "--profile", profile],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=SECONDS)[1]
        self.state_file = Path(json.loads(line)["state_file"])
        state = json.loads(self.state_file.read_bytes())
        self._port, self._token = urlsplit(state["address"]).port, state["token"]

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the status and the answer to one request."""
        data = None if body is None else json.dumps(body)
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)) as connection:
            connection.request(method, path, data, {"Authorization": f"Bearer {self._token}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def get(self, path: str) -> Any:
        """Return the answer to a request that is granted."""
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer


@contextmanager
def bridge(federation: Federation, profile: str, end: signal.Signals = signal.SIGINT) -> Iterator[Bridge]:
    """Run a bridge; at its end its token is gone, and so is the address at which another user may listen next."""
    running = Bridge(federation, profile)
    try:
        yield running
        running.process.send_signal(end)
        _out, err = running.process.communicate(timeout=SECONDS)
        assert "Traceback" not in err
        assert not running.state_file.exists()
    finally:
        running.process.kill()
        running.process.communicate()


def paiza(federation: Federation, profile: str, *words: str) -> str:
    """Run a command of an officer, which must succeed."""
    environment = {**os.environ, "PAIZA_HOME": str(federation.home)}
    command = [sys.executable, "-m", "paiza_client", *words, "--profile", profile]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_no_address_stays_where_another_user_may_listen_next(federation: Federation, end: signal.Signals) -> None:
    """At the end of the system or of the terminal too: a case system sends drafts to the address of the file."""
    with bridge(federation, "kaz-liaison", end) as running:
        assert running.get("/v1/drafts")["drafts"] == []


def test_from_one_case_system_to_another(federation: Federation) -> None:
    """The bridge signs nothing; content leaves with purpose and reason, in the node's log; a key is one draft."""
    path = f"/v1/drafts?key={quote(KEY, safe='')}"
    with bridge(federation, "kaz-liaison") as ours, bridge(federation, "tjk-duty") as theirs:
        schema = Draft202012Validator(ours.get("/v1/kinds/free-message/schema"))
        assert not list(schema.iter_errors(DRAFT))
        status, handed_in = ours.ask("PUT", path, DRAFT)
        assert (status, handed_in["state"]) == (200, "waiting"), handed_in
        assert ours.ask("PUT", path, DRAFT) == (200, handed_in)
        status, refused = ours.ask("PUT", "/v1/drafts?key=other", {**DRAFT, "content": {"subject": "a\u202eb"}})
        assert status == 422
        assert len(refused["error"]["problems"]) == 2
        assert federation.node("kaz").status().messages == 0

        (draft,) = (federation.home / "kaz-liaison").glob(f"drafts/{handed_in['draft']}.yaml")
        sent = json.loads(paiza(federation, "kaz-liaison", "send", "free-message", str(draft), "--json"))
        assert ours.get(path) == {**handed_in, "state": "sent", "message": sent["id"]}
        assert ours.ask("PUT", path, {**DRAFT, "urgency": "priority"})[0] == 409
        assert ours.ask("PUT", "/v1/drafts?key=second", DRAFT)[0] == 200
        first = ours.get("/v1/drafts?limit=1")
        second = ours.get(f"/v1/drafts?limit=1&page={first['next_page']}")
        assert {each["state"] for each in first["drafts"] + second["drafts"]} == {"sent", "waiting"}
        assert second["next_page"] == ""
        assert ours.get("/v1/drafts") == {"drafts": first["drafts"] + second["drafts"], "next_page": ""}
        assert ours.ask("GET", "/v1/drafts?page=x")[0] == ours.ask("GET", "/v1/drafts?limit=0")[0] == 400

        deadline = time.monotonic() + SECONDS
        while not (found := theirs.get("/v1/messages")["messages"]):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert [each["id"] for each in found] == [sent["id"]]
        assert found[0]["unread"]
        status, content = theirs.ask("POST", f"/v1/messages/{sent['id']}/content")
        assert status == 200, content
        assert content["content"] == DRAFT["content"]
        assert content["verified"]["released"]
        assert theirs.ask("GET", "/v1/messages/00000000")[0] == 404

        while (receipt := ours.get(f"/v1/messages/{sent['id']}")["deliveries"][0])["state"] != "delivered":
            assert time.monotonic() < deadline, receipt
            time.sleep(0.2)
    log = paiza(federation, "tjk-auditor", "audit", "log", "--json")
    assert "EXPORTED" in log
    assert "an exercise" in log
