"""Text from elsewhere, made safe for a terminal."""


def plain(text: str) -> str:
    """Make text of others harmless for a terminal: no control characters."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
