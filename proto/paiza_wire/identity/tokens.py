"""Keys on tokens, over PKCS #11: a smart card, a security key or an HSM signs, and its private keys never leave it.

Tokens hold P-256 keys. No token that could be bought signs with ML-DSA-44 or opens with X-Wing: the second half of a
pair, logs, witnesses and encryption keys are sealed files (`key_files`).

A process has one `Tokens`, whose one thread alone speaks to every module: the modules are loaded without locks of their
own, a login counts for a whole process, and a card does one thing at a time. Signing waits for its turn.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from paiza_wire.errors import Rejected, Unavailable
from paiza_wire.identity import der, key_files, keys
from paiza_wire.identity.signer import Signer
from paiza_wire.identity.token_uri import TokenUri

if TYPE_CHECKING:
    import pkcs11

SIGNATURE_BYTES: Final = 64
"""r and s, as a token gives them (PKCS #11, CKM_ECDSA)."""

_P256: Final = bytes.fromhex("06082a8648ce3d030107")  # namedCurve of RFC 5480 §2.1.1.1
_OCTETS: Final = 0x04

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Found:
    """A token that fits a name. ``name`` tells it from all others: its module and its serial number."""

    name: tuple[str, str]
    label: str
    token: "pkcs11.Token"


class Tokens:
    """The tokens of a process. ``ask_pin`` is called with the token's label where its URI names no file.

    A context manager: at its end sessions are closed, and keys on tokens do not sign any more.
    """

    def __init__(self, ask_pin: Callable[[str], bytes]) -> None:
        self._ask_pin = ask_pin
        self._sessions: dict[tuple[str, str], pkcs11.Session] = {}
        self._pins: dict[tuple[str, str], str] = {}  # for keys that ask at every signature
        self._refused: dict[tuple[str, str], Rejected] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="paiza-token")
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every token; one that was removed is closed already."""
        with self._lock:
            while self._sessions:
                session = self._sessions.popitem()[1]
                with suppress(Unavailable):
                    self._in_turn(_close, session)
            self._thread.shutdown()

    def signer(self, uri: TokenUri) -> Signer:
        """Return the one key that this URI names, after the token's PIN was given once.

        Raise ``Unavailable("token_unavailable")`` if there is no such token, or it does not answer, and ``Rejected``:
        ``token_ambiguous`` if several tokens fit the name, ``bad_pin`` for a wrong PIN, after which this token is not
        opened again because tokens lock themselves, ``pin_locked`` if it has done so, ``token_key_unknown`` if not
        exactly one key has the name, and ``token_key_unusable`` if that key is not over P-256 or may not sign.
        """
        with self._lock:  # nobody is asked for two PINs at once
            found = self._in_turn(_found, uri)
            if found.name not in self._sessions:
                self._sessions[found.name] = self._opened(uri, found)
            private_key, public_key = self._in_turn(_key_pair, self._sessions[found.name], uri)
            pin = self._pins[found.name] if self._in_turn(_asks_always, private_key) else None

        def sign(data: bytes) -> bytes:
            signature = self._in_turn(_sign, private_key, data, pin)
            keys.verify(public_key, signature, data)  # that both halves on the token belong together
            return signature

        return Signer(public_key, sign)

    def _in_turn(self, work: Callable[_Given, _Result], /, *given: _Given.args, **named: _Given.kwargs) -> _Result:
        """Return what the thread of the tokens makes of this work."""
        try:
            waiting = self._thread.submit(work, *given, **named)
        except RuntimeError as error:  # the thread takes no more work
            raise Unavailable("token_unavailable", "the token was closed") from error
        return waiting.result()

    def _opened(self, uri: TokenUri, found: _Found) -> "pkcs11.Session":
        if before := self._refused.get(found.name):
            raise Rejected(before.reason, before.detail) from before
        pin = self._ask_pin(found.label) if uri.pin_source is None else key_files.passphrase_from_file(uri.pin_source)
        try:
            session = self._in_turn(_open, found.token, pin)
        except Rejected as error:
            self._refused[found.name] = error
            raise
        self._pins[found.name] = pin.decode()
        return session


def _found(uri: TokenUri) -> _Found:
    """Return the one token that a URI names."""
    library = _library(uri)
    import pkcs11  # noqa: PLC0415 - as in `_library`

    with _translated():
        fitting = [token for token in _present(library) if _fits(token, uri)]
        if not fitting:
            raise Unavailable("token_unavailable", "no token fits the name")
        if len(fitting) > 1:
            serials = ", ".join(_plain(token.serial) for token in fitting)
            raise Rejected("token_ambiguous", f"the serial numbers are {serials}")
        (token,) = fitting
        if token.flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
            raise Rejected("pin_locked", "the token says so")
        return _Found((str(uri.module), _plain(token.serial)), _plain(token.label), token)


def _present(library: Any) -> Iterator["pkcs11.Token"]:
    """Yield the tokens that answer. One in another reader that does not is of no concern here."""
    import pkcs11  # noqa: PLC0415 - as in `_library`

    for slot in library.get_slots(token_present=True):
        with suppress(pkcs11.PKCS11Error):
            yield slot.get_token()


def _open(token: "pkcs11.Token", pin: bytes) -> "pkcs11.Session":
    try:
        text = pin.decode()
    except UnicodeDecodeError:
        raise Rejected("bad_pin", "the PIN is not UTF-8") from None
    with _translated():
        return token.open(user_pin=text)


def _close(session: "pkcs11.Session") -> None:
    with _translated():
        session.close()


def _key_pair(session: "pkcs11.Session", uri: TokenUri) -> tuple[Any, EllipticCurvePublicKey]:
    import pkcs11  # noqa: PLC0415 - as in `_library`

    with _translated():
        private_key = _only(session, uri, pkcs11.ObjectClass.PRIVATE_KEY)
        public = _only(session, uri, pkcs11.ObjectClass.PUBLIC_KEY)
        if private_key.key_type != pkcs11.KeyType.EC or public[pkcs11.Attribute.EC_PARAMS] != _P256:
            raise Rejected("token_key_unusable", "the key is not over P-256; other kinds are sealed files")
        if not private_key[pkcs11.Attribute.SIGN]:
            raise Rejected("token_key_unusable", "the token does not let the key sign (CKA_SIGN)")
        point = der.content(_OCTETS, public[pkcs11.Attribute.EC_POINT])
    try:
        return private_key, EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point or b"")
    except ValueError:
        raise Rejected("token_key_unusable", "the public key on the token is no point of P-256") from None


def _only(session: "pkcs11.Session", uri: TokenUri, kind: "pkcs11.ObjectClass") -> Any:
    """Return the one object of this class that the URI names."""
    import pkcs11  # noqa: PLC0415 - as in `_library`

    wanted: dict[pkcs11.Attribute, Any] = {pkcs11.Attribute.CLASS: kind}
    if uri.label:
        wanted[pkcs11.Attribute.LABEL] = uri.label
    if uri.key_id:
        wanted[pkcs11.Attribute.ID] = uri.key_id
    # To its end: a search that breaks off would block the next one.
    found = list(session.get_objects(wanted))
    if not found:
        raise Rejected("token_key_unknown", "there is no such key on the token")
    if len(found) > 1:
        raise Rejected("token_key_unknown", "several keys on the token have this name: name its id too")
    return found[0]


def _asks_always(private_key: Any) -> bool:
    """Return whether the token wants the PIN at every signature (CKA_ALWAYS_AUTHENTICATE), as cards of PIV do."""
    import pkcs11  # noqa: PLC0415 - as in `_library`

    try:
        return bool(private_key[pkcs11.Attribute.ALWAYS_AUTHENTICATE])
    except pkcs11.PKCS11Error:
        return False  # a module that does not know the attribute has no such keys


def _sign(private_key: Any, data: bytes, pin: str | None) -> bytes:
    import pkcs11  # noqa: PLC0415 - as in `_library`

    with _translated():
        # The digest is made here: every token has CKM_ECDSA, and some have nothing else.
        raw: bytes = private_key.sign(sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA, pin=pin)
    if len(raw) != SIGNATURE_BYTES:
        raise Rejected("bad_signature", "the token's signature has another length")
    half = SIGNATURE_BYTES // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _library(uri: TokenUri) -> Any:
    try:
        import pkcs11  # noqa: PLC0415 - an extra; not needed without a token
    except ImportError:
        raise Unavailable("token_unavailable", "python-pkcs11 is not installed: pip install 'paiza[token]'") from None
    with _translated():
        return pkcs11.lib(str(uri.module))


def _fits(token: "pkcs11.Token", uri: TokenUri) -> bool:
    named = (
        (uri.token, token.label),
        (uri.serial, token.serial),
        (uri.manufacturer, token.manufacturer_id),
        (uri.model, token.model),
    )
    return all(not wanted or wanted == _plain(there) for wanted, there in named)


def _plain(text: str | bytes) -> str:
    """Return a token's text without the blanks that fill it up."""
    return (text.decode(errors="replace") if isinstance(text, bytes) else text).rstrip(" \0")


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the errors of the module as ours."""
    import pkcs11  # noqa: PLC0415 - as in `_library`

    try:
        yield
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
        raise Rejected("bad_pin", type(error).__name__) from error
    except (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized) as error:
        raise Rejected("pin_locked", type(error).__name__) from error
    except (pkcs11.PKCS11Error, OSError) as error:
        raise Unavailable("token_unavailable", f"{type(error).__name__} {error}".strip()) from error
