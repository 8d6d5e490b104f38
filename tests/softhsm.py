"""Tokens of SoftHSM 2 in a folder of the process's own, with keys made on them."""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

PIN: Final = "123456"
LABEL: Final = "Paiza test"
TWIN: Final = "Paiza twin"
"""Label of two tokens."""

REMOVED: Final = "Paiza removed"
"""Label of the token that `removed` takes away."""

_MODULES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


def module() -> Path:
    """Return SoftHSM's module; skips the test where SoftHSM or python-pkcs11 is not installed."""
    found = next((path for path in map(Path, _MODULES) if path.exists()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM 2 here (Debian: softhsm2)")
    pytest.importorskip("pkcs11")
    return found


def make_token() -> Path:
    """Make the tokens in a folder that SOFTHSM2_CONF names from now on; return SoftHSM's module.

    The module reads its configuration once in a process: all tests of one share the folder, which goes with it.
    """
    found = module()
    if "SOFTHSM2_CONF" not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="paiza-softhsm-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / "tokens").mkdir()
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
        for label in (LABEL, TWIN, TWIN, REMOVED):
            make = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN]
            subprocess.run(make, check=True, capture_output=True)
    return found


def import_key(library: Path, file: Path, label: str) -> str:
    """Put the private key in a PEM file onto the token; return its URI, whose PIN lies in a file beside the key."""
    command = ["softhsm2-util", "--import", str(file), "--label", label, "--id", "0a", "--token", LABEL, "--pin", PIN]
    subprocess.run(command, check=True, capture_output=True)
    pin = file.with_suffix(".pin")
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    return f"pkcs11:token={quote(LABEL)};object={label}?module-path={library}&pin-source=file:{pin}"


@contextmanager
def removed(token_label: str) -> Iterator[None]:
    """Remove a token, which may be open, and connect it again: its folder goes away and comes back.

    SoftHSM believes in a token's return only when it is started anew, which closes every session of the process.
    """
    import pkcs11  # noqa: PLC0415 - an extra

    folder = Path(os.environ["SOFTHSM2_CONF"]).parent
    (token,) = [
        each for each in (folder / "tokens").iterdir() if token_label.encode() in (each / "token.object").read_bytes()
    ]
    token.rename(folder / token.name)
    try:
        yield
    finally:
        (folder / token.name).rename(token)
        pkcs11.lib(str(module())).reinitialize()


def make_key(
    library: Path,
    label: str,
    curve: str = "secp256r1",
    *,
    token_label: str = LABEL,
    signs: bool = True,
    asks_always: bool = False,
) -> None:
    """Make a key pair on a token; one that does not sign may only agree on keys.

    With ``asks_always`` the token wants the PIN at every signature.
    """
    import pkcs11  # noqa: PLC0415 - an extra
    from pkcs11.util.ec import encode_named_curve_parameters  # noqa: PLC0415

    token = pkcs11.lib(str(library)).get_token(token_label=token_label)
    with token.open(rw=True, user_pin=PIN) as session:
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True
        )
        capabilities = None if signs else pkcs11.MechanismFlag.DERIVE
        private = {pkcs11.Attribute.ALWAYS_AUTHENTICATE: asks_always}
        parameters.generate_keypair(store=True, label=label, capabilities=capabilities, private_template=private)
