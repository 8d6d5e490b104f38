"""The links that `make up` prints: each starts the console of one profile where it does not run, and signs in.

Twenty-eight consoles would need gigabytes. One small process answers on 127.0.0.1 instead: a link names a profile and a
secret, starts `paiza web` for it, and leads on to the launch link, which works once. The federation is an exercise with
keys under no passphrase; a real console is opened by its officer alone.

    python -m tests.demo.links FOLDER       serves until it is ended; FOLDER/links.json holds the links
"""

import hmac
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, NoReturn

from typing_extensions import override

FILE: Final = "links.json"


class Server(ThreadingHTTPServer):
    """Serves the links of one federation."""

    def __init__(self, folder: Path) -> None:
        """Listen on any free port and write the links, for their owner alone."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.home = folder.absolute() / "home"
        self.secrets = {each.name: secrets.token_urlsafe(12) for each in sorted(self.home.iterdir()) if each.is_dir()}
        self.consoles: list[subprocess.Popen[str]] = []
        self.starting = threading.Lock()
        self.host = f"127.0.0.1:{self.server_address[1]}"
        links = {name: f"http://{self.host}/{name}/{secret}" for name, secret in self.secrets.items()}
        with os.fdopen(os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(links, file)

    def launch(self, profile: str) -> str:
        """Return a launch link of the profile's console; its process ends with this one."""
        command = [sys.executable, "-m", "paiza_client", "--profile", profile, "web", "--no-open", "--json"]
        with self.starting:
            self.consoles = [each for each in self.consoles if each.poll() is None]
            process = subprocess.Popen(
                command,
                env={**os.environ, "PAIZA_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.consoles.append(process)
            assert process.stdout is not None
            return str(json.loads(process.stdout.readline())["link"])

    def end(self) -> None:
        """End the consoles that were started here."""
        for each in self.consoles:
            each.terminate()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    def do_GET(self) -> None:
        """Start the console that the link names, and lead on to it."""
        server = self.server
        assert isinstance(server, Server)
        _empty, _slash, path = self.path.partition("/")
        profile, _slash, secret = path.partition("/")
        expected = server.secrets.get(profile)
        is_known = expected is not None and hmac.compare_digest(secret.encode(), expected.encode())
        if self.headers.get("Host") != server.host or not is_known:
            self.send_error(404)
            return
        try:
            link = server.launch(profile)
        except (OSError, ValueError, KeyError):
            self.send_error(503)
            return
        self.send_response(303)
        self.send_header("Location", link)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    @override
    def log_message(self, *_arguments: object) -> None:
        """Print nothing: a line would hold the secret."""


def main() -> None:
    """Serve until the process is ended."""
    server = Server(Path(sys.argv[1]))
    signal.signal(signal.SIGTERM, _stop)
    try:
        server.serve_forever()
    finally:
        server.end()


def _stop(*_arguments: object) -> NoReturn:
    raise SystemExit


if __name__ == "__main__":
    main()
