"""Keys on tokens, over PKCS #11: a smart card, a security key or an HSM signs, and its private keys never leave it.

Tokens hold P-256 keys. No token that could be bought signs with ML-DSA-44 or opens with X-Wing: the second half of a
pair, logs, witnesses and encryption keys are sealed files (`key_files`).

A token is opened once in a process, with one thread that alone speaks to it: sessions may not be shared by threads, a
login counts for a whole process, and a card does one thing at a time. Signing waits for its turn.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

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


class Tokens:
    """The tokens of a process. ``ask_pin`` is called with the token's name where its URI names no file.

    A context manager: at its end sessions are closed, and keys on tokens do not sign any more.
    """

    def __init__(self, ask_pin: Callable[[str], bytes]) -> None:
        self._ask_pin = ask_pin
        self._open: dict[tuple[str, str], _Token] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every token."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def signer(self, uri: TokenUri) -> Signer:
        """Return the one key that this URI names, after the token's PIN was given once.

        ``Unavailable("token_unavailable")`` if there is no such token, or it does not answer; ``Rejected("bad_pin")``,
        which is never tried again, because tokens lock themselves; ``Rejected("bad_key")`` if there is no such key, or
        it is not one over P-256 that signs.
        """
        library = _library(uri)
        with _translated():
            found = [token for token in library.get_tokens() if _fits(token, uri)]
        if len(found) != 1:
            raise Unavailable("token_unavailable", f"{len(found)} tokens fit the name")
        with self._lock:
            name = (str(uri.module), _plain(found[0].serial))
            if name not in self._open:
                self._open[name] = _Token(found[0], self._pin(uri, found[0]))
            token = self._open[name]
        return token.signer(uri)

    def _pin(self, uri: TokenUri, token: "pkcs11.Token") -> str:
        if uri.pin_source is not None:
            pin = key_files.passphrase_from_file(uri.pin_source)
        else:
            pin = self._ask_pin(_plain(token.label))
        try:
            return pin.decode()
        except UnicodeDecodeError:
            raise Rejected("bad_pin", "the PIN is not UTF-8") from None


class _Token:
    """An open token and the thread that alone speaks to it."""

    def __init__(self, token: "pkcs11.Token", pin: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="paiza-token")
        try:
            self._session: pkcs11.Session = self._thread.submit(_opened, token, pin).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def signer(self, uri: TokenUri) -> Signer:
        private_key, public_key = self._thread.submit(self._find, uri).result()

        def sign(data: bytes) -> bytes:
            try:
                signature: bytes = self._thread.submit(_sign, private_key, data).result()
            except RuntimeError as error:  # the thread takes no more work
                raise Unavailable("token_unavailable", "the token was closed") from error
            keys.verify(public_key, signature, data)  # that both halves on the token belong together
            return signature

        return Signer(public_key, sign)

    def close(self) -> None:
        with _translated():
            self._thread.submit(self._session.close).result()
        self._thread.shutdown()

    def _find(self, uri: TokenUri) -> tuple[Any, EllipticCurvePublicKey]:
        import pkcs11  # noqa: PLC0415 - an extra; not needed without a token

        with _translated():
            private_key = self._only(uri, pkcs11.ObjectClass.PRIVATE_KEY)
            public = self._only(uri, pkcs11.ObjectClass.PUBLIC_KEY)
            if private_key.key_type != pkcs11.KeyType.EC or public[pkcs11.Attribute.EC_PARAMS] != _P256:
                raise Rejected("bad_key", "a key on a token must be over P-256; other kinds are sealed files")
            point = der.content(_OCTETS, public[pkcs11.Attribute.EC_POINT])
        try:
            return private_key, EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point or b"")
        except ValueError:
            raise Rejected("bad_key", "the public key on the token is no point of P-256") from None

    def _only(self, uri: TokenUri, kind: "pkcs11.ObjectClass") -> Any:
        """Return the one object of this class that the URI names."""
        import pkcs11  # noqa: PLC0415 - as above

        wanted: dict[pkcs11.Attribute, Any] = {pkcs11.Attribute.CLASS: kind}
        if uri.label:
            wanted[pkcs11.Attribute.LABEL] = uri.label
        if uri.key_id:
            wanted[pkcs11.Attribute.ID] = uri.key_id
        # To its end: a search that breaks off would block the next one.
        found = list(self._session.get_objects(wanted))
        if not found:
            raise Rejected("bad_key", "there is no such key on the token")
        if len(found) > 1:
            raise Rejected("bad_key", "several keys on the token have this name: name its id too")
        return found[0]


def _opened(token: "pkcs11.Token", pin: str) -> "pkcs11.Session":
    with _translated():
        return token.open(user_pin=pin)


def _sign(private_key: Any, data: bytes) -> bytes:
    import pkcs11  # noqa: PLC0415 - as above

    with _translated():
        # The digest is made here: every token has CKM_ECDSA, and some have nothing else.
        raw: bytes = private_key.sign(sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA)
    if len(raw) != SIGNATURE_BYTES:
        raise Rejected("bad_signature", "the token's signature has another length")
    half = SIGNATURE_BYTES // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _library(uri: TokenUri) -> Any:
    try:
        import pkcs11  # noqa: PLC0415 - as above
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
    import pkcs11  # noqa: PLC0415 - as above

    try:
        yield
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked, pkcs11.PinExpired) as error:
        raise Rejected("bad_pin", type(error).__name__) from error
    except (pkcs11.PKCS11Error, OSError) as error:
        raise Unavailable("token_unavailable", f"{type(error).__name__} {error}".strip()) from error
