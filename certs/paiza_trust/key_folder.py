"""Opens the keys of a ceremony: sealed files, and first halves of pairs on tokens.

A pair NAME is ``NAME-p256.pem`` and ``NAME-mldsa44.pem``. If its first half is on a token, ``NAME-p256.uri`` replaces
the first file: one line, the PKCS #11 URI of the key. `keys.toml` beside them may name a ``passphrase_file``; else the
passphrase is asked for. ``sealed = false`` in it also accepts keys under no passphrase, for exercises.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Final

import click

from paiza_cli.exit_codes import ExitCode
from paiza_cli.toml_text import parse_toml
from paiza_register.pair_key import PairSigner, key_files
from paiza_trust.errors import TrustError, from_wire, wrong_in_file
from paiza_trust.files import write_key
from paiza_trust.language import N_, _
from paiza_wire.errors import PaizaError, Rejected
from paiza_wire.identity import keys
from paiza_wire.identity.certificates import AuthorityKey
from paiza_wire.identity.key_files import KeyFileRejected, change_passphrase, open_key, passphrase_from_file
from paiza_wire.identity.pair import PairPrivateKey
from paiza_wire.identity.private_keys import MLDSA44, P256, Key, KeyKind
from paiza_wire.identity.sealing import Sealer
from paiza_wire.identity.signer import Signer
from paiza_wire.identity.token_uri import TokenUri
from paiza_wire.identity.tokens import Tokens

SETTINGS: Final = "keys.toml"
_NO_TERMINAL: Final = N_(
    "Use a terminal, or name a file: --passphrase-file of `apply`, passphrase_file in keys.toml (in node.toml for the "
    "keys of a node), or a pin-source in the URI."
)
UNSEALED: Final = """\
# Keys of an exercise federation are under no passphrase. A copy of this folder is enough to sign for this member.
sealed = false
"""


class KeyFolder:
    """A folder of keys, as its `keys.toml` describes it; TrustError names the file and what is wrong with it."""

    def __init__(
        self, folder: Path, settings: Mapping[str, object] | None = None, settings_file: Path | None = None
    ) -> None:
        """Open a folder; ``settings`` are what its `keys.toml` would say, where another file says it."""
        self.folder = folder
        self._settings_file = settings_file or folder / SETTINGS
        found = _settings(folder / SETTINGS) if settings is None else settings
        self._sealed = found.get("sealed", True) is not False
        self._passphrase_file = found.get("passphrase_file")
        self._sealer = Sealer(self._passphrase)
        self._new = False

    def pair(self, name: str) -> PairSigner:
        """Open both halves of a pair."""
        first, second = key_files(self.folder / name)
        uri = first.with_suffix(".uri")
        classical = _on_token(uri) if uri.exists() else self.key(first.name, P256)
        return PairSigner(PairPrivateKey.from_halves(classical, self.key(second.name, MLDSA44)))

    def key(self, file: str, kind: KeyKind[Key]) -> Key:
        """Open one key file."""
        with _located(self.folder / file):
            try:
                return open_key(self.folder / file, kind, self._sealer, sealed=self._sealed)
            except Rejected as error:
                if error.reason != "bad_passphrase" or self._passphrase_file is None:
                    raise
                source = self.folder / str(self._passphrase_file)
                raise wrong_in_file(error, str(self.folder / file), str(source)) from error

    def token(self, name: str) -> str | None:
        """Return the URI of the token that holds the first half of a pair; None if a file holds it."""
        return _uri(key_files(self.folder / name)[0])

    def authority(self, name: str) -> AuthorityKey:
        """Open the key of a CA: NAME.key, or on a token as NAME.uri says."""
        uri = self.folder / f"{name}.uri"
        return _on_token(uri) if uri.exists() else self.key(f"{name}.key", P256)

    def authority_token(self, name: str) -> str | None:
        """Return the URI of the token that holds the key of a CA; None if a file holds it."""
        return _uri(self.folder / f"{name}.key")

    def make_pair(self, name: str) -> PairSigner:
        """Open a pair, of which what is not there yet is made. A half named by a URI stays on its token."""
        first, second = key_files(self.folder / name)
        if not first.with_suffix(".uri").exists():
            self._make(first, P256, keys.generate_p256)
        self._make(second, MLDSA44, keys.generate_mldsa44)
        return self.pair(name)

    def make_authority(self, name: str) -> AuthorityKey:
        """Open the key of a CA, which is made if it is not there yet."""
        if not (self.folder / f"{name}.uri").exists():
            self._make(self.folder / f"{name}.key", P256, keys.generate_p256)
        return self.authority(name)

    def change_passphrase(self, old_file: Path | None, new_file: Path | None) -> int:
        """Seal every key file of the folder under another passphrase; return how many were not under it yet.

        The passphrases are the first lines of these files; without one, the former is that of the settings or asked
        for, and the new one is asked for.
        """
        old = self._sealer if old_file is None else Sealer(partial(_from_file, old_file))
        try:
            return change_passphrase(self.folder, old, self._new_sealer(new_file), sealed=self._sealed)
        except Rejected as error:
            where = error.path if isinstance(error, KeyFileRejected) else self.folder
            raise from_wire(error, str(where)) from error

    def outdated_passphrase_file(self, new_file: Path | None) -> Path | None:
        """Return the passphrase file that the settings name, if the keys are under another passphrase now."""
        if self._passphrase_file is None:
            return None
        path = self.folder / str(self._passphrase_file)
        return path if self._from_settings(path) != self._new_sealer(new_file).passphrase() else None

    def _new_sealer(self, file: Path | None) -> Sealer:
        prompt = _("New passphrase of the keys in {folder}").format(folder=self.folder)
        return Sealer(partial(ask, prompt, new=True) if file is None else partial(_from_file, file))

    def _make(self, path: Path, kind: KeyKind[Key], generate: Callable[[], Key]) -> None:
        if path.exists():
            return
        self._new = True  # until a key is there, nothing would notice a passphrase that was mistyped
        write_key(path, kind, generate(), self._sealer if self._sealed else None)

    def _passphrase(self) -> bytes:
        if self._passphrase_file is None:
            return ask(_("Passphrase of the keys in {folder}").format(folder=self.folder), new=self._new)
        return self._from_settings(self.folder / str(self._passphrase_file))

    def _from_settings(self, path: Path) -> bytes:
        remedy = N_("It is the passphrase_file of {settings}: put it there, or correct that setting.")
        return _from_file(path, remedy, {"settings": str(self._settings_file)})


def _uri(file: Path) -> str | None:
    uri = file.with_suffix(".uri")
    return uri.read_text("utf-8").strip() if uri.exists() else None


def _from_file(
    path: Path, remedy: str = N_("Name a file that is there."), values: Mapping[str, str] | None = None
) -> bytes:
    try:
        return passphrase_from_file(path)
    except PaizaError as error:
        if error.reason != "file_unreadable":
            raise from_wire(error, str(path)) from error
        what = N_("The passphrase file cannot be read: {error}")
        found = {"error": error.detail, **(values or {})}
        raise TrustError("file_unreadable", what, str(path), remedy, ExitCode.UNAVAILABLE, found) from error


def _settings(path: Path) -> dict[str, object]:
    try:
        settings = parse_toml(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _bad_settings(path, N_("The settings of the keys cannot be read: {found}"), str(error)) from error
    wrong = [
        name
        for name, value in settings.items()
        if not isinstance(value, {"sealed": bool, "passphrase_file": str}.get(name, type(None)))
    ]
    if wrong:
        raise _bad_settings(path, N_("There is no such setting, or it is of another type: {found}"), ", ".join(wrong))
    return settings


def _bad_settings(path: Path, what: str, found: str) -> TrustError:
    remedy = N_('Write sealed = false, or passphrase_file = "…".')
    return TrustError("bad_configuration", what, str(path), remedy, values={"found": found})


def _on_token(file: Path) -> Signer:
    with _located(file):
        return _tokens().signer(TokenUri.parse(file.read_text("utf-8").strip()))


@cache  # a login counts for the whole process
def _tokens() -> Tokens:
    return Tokens(lambda token: ask(_("PIN of the token {token}").format(token=token)))


@cache  # one command may open a folder more than once
def ask(prompt: str, *, new: bool = False, remedy: str = _NO_TERMINAL) -> bytes:
    """Ask for a passphrase or a PIN on the terminal; ``TrustError`` with this remedy if there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise TrustError("passphrase_missing", N_("There is no terminal to ask"), prompt, remedy)
    return str(click.prompt(prompt, hide_input=True, err=True, confirmation_prompt=new)).encode()


@contextmanager
def _located(path: Path) -> Iterator[None]:
    try:
        yield
    except PaizaError as error:
        if error.reason == "file_unreadable":
            remedy = N_("Name a key by its files, without -p256.pem and -mldsa44.pem, and sign where they are.")
            what, values = N_("The key is not here: {error}"), {"error": error.detail}
            raise TrustError("file_unreadable", what, str(path), remedy, ExitCode.UNAVAILABLE, values) from error
        raise from_wire(error, str(path)) from error
