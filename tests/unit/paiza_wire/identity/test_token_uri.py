"""Names of keys on tokens: read back as they are written, and refused in every other form."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_wire.errors import Rejected
from paiza_wire.identity.token_uri import TokenUri

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PATHS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20).map(
    lambda text: Path("/", text.lstrip("/"))
)
MODULE = "module-path=/usr/lib/softhsm/libsofthsm2.so"


@given(
    st.builds(
        TokenUri,
        module=PATHS,
        token=TEXT.filter(bool),
        serial=TEXT,
        manufacturer=TEXT,
        model=TEXT,
        label=TEXT.filter(bool),
        key_id=st.binary(max_size=20),
        pin_source=st.none() | PATHS,
    )
)
def test_a_name_is_read_as_it_was_written(uri: TokenUri) -> None:
    """A URI with any labels and paths round-trips."""
    assert TokenUri.parse(str(uri)) == uri


@given(st.text(max_size=100))
def test_arbitrary_text_is_refused(text: str) -> None:
    """The reader raises only the refusal."""
    for uri in (text, f"pkcs11:{text}", f"pkcs11:token=a;object=b?{text}", f"pkcs11:token=a;{text}?{MODULE}"):
        with suppress(Rejected):
            TokenUri.parse(uri)


def test_an_example_of_the_standard_is_read() -> None:
    """The attributes of RFC 7512 that we use come out decoded."""
    uri = TokenUri.parse(
        f"pkcs11:token=My%20token;object=my-key;type=private;id=%01%ff?{MODULE}&pin-source=file:/etc/pin"
    )
    assert (uri.token, uri.label, uri.key_id, uri.pin_source) == ("My token", "my-key", b"\x01\xff", Path("/etc/pin"))
    assert uri.module == Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.mark.parametrize(
    ("uri", "detail"),
    [
        ("file:/key", "pkcs11:"),
        (f"pkcs11:token=a;object=b?{MODULE}&pin-value=1234", "PIN must not stand"),
        ("pkcs11:token=a;object=b", "module-path"),
        ("pkcs11:token=a;object=b?module-path=lib.so", "module-path"),
        (f"pkcs11:object=b?{MODULE}", "neither token nor serial"),
        (f"pkcs11:token=a?{MODULE}", "neither object nor id"),
        (f"pkcs11:token=a;token=b;object=c?{MODULE}", "twice"),
        (f"pkcs11:token=a;object=b;type=public?{MODULE}", "type"),
        (f"pkcs11:token=a;object=b;slot-id=1?{MODULE}", "slot-id"),
        (f"pkcs11:token=%zz;object=b?{MODULE}", "token"),
        (f"pkcs11:token=%ff;object=b?{MODULE}", "UTF-8"),
        (f"pkcs11:token=a;object=b?{MODULE}&pin-source=pin", "pin-source"),
    ],
)
def test_what_is_wrong_is_named(uri: str, detail: str) -> None:
    """Each part that is missing, doubled, unknown or badly written is named; a PIN in the URI above all."""
    with pytest.raises(Rejected, match="bad_token_uri") as caught:
        TokenUri.parse(uri)
    assert detail in caught.value.detail
