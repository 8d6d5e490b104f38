"""Foreign text, made safe for a terminal."""


def plain(text: str) -> str:
    """Return foreign text without control characters."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
