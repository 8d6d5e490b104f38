"""TOML of others: values or a ValueError, whatever it holds."""

import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paiza_cli.toml_text import MAX_KEY_PARTS, parse_toml

PARTS = st.text("ab01-_.\"=[]{}# \t\n',", max_size=200)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = = 1", "line 1"),
        ("a = " + "1" * 5000, "4300"),
        ("a = " + "[" * 50_000, "nested"),
        (".".join("a" * (MAX_KEY_PARTS + 1)) + " = 1", "parts"),
        (" . ".join(["'a b'", '"c"'] * MAX_KEY_PARTS) + " = 1", "parts"),
        ("a = { " + ".".join("a" * 20_000) + " = 1 }", "parts"),
        ("[" + ".".join("a" * 20_000) + "]", "parts"),
    ],
)
def test_what_no_parser_takes_is_a_value_error(text: str, said: str) -> None:
    """Broken syntax, a number or a nesting that Python refuses, and a key that would take gigabytes."""
    with pytest.raises(ValueError, match=said):
        parse_toml(text.encode())


def test_bytes_that_are_no_text_are_a_value_error() -> None:
    """TOML is UTF-8."""
    with pytest.raises(ValueError, match="utf-8"):
        parse_toml(b"a = '\xff'")


@given(PARTS)
def test_all_else_is_read_as_by_the_parser(text: str) -> None:
    """No key of so few parts is refused, nor anything that only looks like one."""
    try:
        expected = tomllib.loads(text)
    except ValueError:
        expected = None
    found = None
    with suppress(ValueError):
        found = parse_toml(text.encode())
    assert found == expected


def test_a_key_of_many_parts_is_read() -> None:
    """The longest key that is read, and a text that has more dots."""
    key = ".".join("a" * MAX_KEY_PARTS)
    assert parse_toml(f'{key} = 1\nb = "{"." * 1000}"'.encode())["b"] == "." * 1000
