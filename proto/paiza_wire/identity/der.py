"""The little DER (X.690) that stored keys need: single values with a tag of one byte."""

_LONG_FORM = 0x80  # X.690 §8.1.3.4: shorter contents have their length in one byte


def encode(tag: int, content: bytes) -> bytes:
    """Return one value: tag, length, content."""
    size = len(content)
    if size < _LONG_FORM:
        length = bytes([size])
    else:
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([_LONG_FORM | len(octets)]) + octets
    return bytes([tag]) + length + content


def encode_integer(number: int) -> bytes:
    """Return a natural number as an INTEGER."""
    return encode(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def content(tag: int, encoded: bytes) -> bytes | None:
    """Return the content of these bytes if they are exactly one value with this tag, in the one DER encoding."""
    size = encoded[1] if len(encoded) > 1 else 0
    start = 2 + (size & ~_LONG_FORM if size >= _LONG_FORM else 0)
    value = encoded[start:]
    return value if encode(tag, value) == encoded else None
