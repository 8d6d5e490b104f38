"""Hand in a draft as a case system does, and list what came; the draft then waits in `paiza web` for a signature.

With `make up` running, and PAIZA_HOME set as it prints:

    python examples/case_system.py kaz-liaison tjk
"""

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

BRIDGE = ["--purpose", "investigate", "--reason", "an exercise", "--whom", "the case system", "--json"]


def main(name: str, recipient: str) -> None:
    """Start the bridge, ask it, end it. A case system finds the running bridge by the same file instead."""
    command = [sys.executable, "-m", "paiza_client", "bridge", *BRIDGE, "--profile", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bridge:  # noqa: S603 - our own program
        assert bridge.stdout is not None
        state = json.loads(Path(json.loads(bridge.stdout.readline())["state_file"]).read_text("utf-8"))

        def ask(method: str, path: str, body: object = None) -> dict[str, list[dict[str, str]]]:
            data = None if body is None else json.dumps(body).encode()
            headers = {"Authorization": f"Bearer {state['token']}"}
            with urlopen(Request(state["address"] + path, data, headers, method=method), timeout=60) as answer:  # noqa: S310
                return json.load(answer)  # type: ignore[no-any-return]

        content = {"subject": "Invented matter", "text": "Written by a case system, signed by nobody yet."}
        found = ask("PUT", "/v1/drafts?key=case-117", {"kind": "free-message", "to": [recipient], "content": content})
        print(f"The draft {found['draft']} is {found['state']}")
        for message in ask("GET", "/v1/messages?box=inbox&limit=20")["messages"]:
            print(message["stored_time"], message["author"], message["kind"], message["thread"])
        bridge.terminate()


if not sys.argv[2:] or "--help" in sys.argv:
    sys.exit(__doc__)
main(*sys.argv[1:3])
