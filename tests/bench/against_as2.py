"""Row "against AS2": the same receipt through pyas2lib, which is under the GPL and so runs in its own environment."""

import json
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench.figures import Figure, Missing
from tests.bench.run import Run

NAME: Final = "against AS2: exchanges"
ROOT: Final = Path(__file__).resolve().parents[2]
ENVIRONMENT: Final = ROOT / ".bench-venv"  # kept between runs; git-ignored
REQUIREMENTS: Final = Path(__file__).parent / "as2" / "requirements.txt"
PROGRAM: Final = Path(__file__).parent / "as2" / "exchange.py"
INSTALL_SECONDS: Final = 300
EXCHANGE_SECONDS: Final = 60


class EnvironmentMissingError(Exception):
    """pyas2lib could not be installed here; the text is pip's own."""


def measure(run: Run) -> Iterator[Figure | Missing]:
    """Exchange over AS2 in one process for some seconds, five times."""
    try:
        python = _environment(run)
        done = subprocess.run(
            [python, PROGRAM, "--bytes", str(run.sizes.content_bytes)],
            capture_output=True,
            text=True,
            timeout=EXCHANGE_SECONDS,
            check=False,
        )
    except (EnvironmentMissingError, subprocess.TimeoutExpired) as error:
        yield Missing(NAME, str(error))
        return
    if done.returncode:
        # oscrypto refuses an OpenSSL whose version it cannot read; that, or whatever else it was, is said as it is.
        yield Missing(
            NAME, f"pyas2lib does not run here: {(done.stderr.strip().splitlines() or ['no error text'])[-1]}"
        )
        return
    found = json.loads(done.stdout)
    yield Figure(
        name=NAME,
        samples=tuple(found["rates"]),
        unit="/s",
        beside=f"pyas2lib {found['pyas2lib']}, RSA-2048, AES-256: one process, no disk, no network",
        processor_us=found["processor_us"],
        details={"pyas2lib": found["pyas2lib"], "oscrypto": found["oscrypto"]},
    )


def _environment(run: Run) -> Path:
    """Return the interpreter of the environment, made where it is missing or its requirements have changed."""
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "requirements.txt"
    wanted = REQUIREMENTS.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    run.say("installing pyas2lib into .bench-venv (once) ...")
    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        REQUIREMENTS,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        raise EnvironmentMissingError(f"pip could not install it: {(done.stderr.strip().splitlines() or [''])[-1]}")
    stamp.write_text(wanted)
    return python
