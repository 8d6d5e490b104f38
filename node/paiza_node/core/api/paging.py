"""Pages of a list: their length, and the token of the place where the next one begins."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeVar

from paiza_wire.errors import Rejected

DEFAULT_PAGE: Final = 100
MAX_PAGE: Final = 500
MAX_TOKEN: Final = 256  # characters
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_DIGITS: Final = 18  # the largest value of a 64-bit column

_T = TypeVar("_T")


class PageRequest(Protocol):
    """The paging fields of a request."""

    page_size: int
    page_token: str


def page_size(request: PageRequest, most: int = MAX_PAGE) -> int:
    """Return the most items of a page."""
    return min(request.page_size or DEFAULT_PAGE, most)


def token_of(*numbers: int) -> str:
    """Return the token of the page after these numbers."""
    return ".".join(map(str, numbers))


def numbers_of(request: PageRequest, count: int) -> tuple[int, ...] | None:
    """Return the numbers after which a page begins; None for the first page, Rejected for an invalid token."""
    if not request.page_token:
        return None
    numbers = request.page_token.split(".")
    if len(numbers) != count or not all(
        each.isascii() and each.isdigit() and len(each) <= _MAX_DIGITS for each in numbers
    ):
        raise Rejected("malformed", "page_token is not one this node gave")
    return tuple(map(int, numbers))


def micros_of(time: datetime) -> int:
    """Return a time in the form used in tokens: microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def time_of(micros: int) -> datetime:
    """Return the time in a token; Rejected if it is outside the calendar."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise Rejected("malformed", "page_token is not one this node gave") from None


def page_of(
    items: Sequence[_T], key: Callable[[_T], str], request: PageRequest, most: int = MAX_PAGE
) -> tuple[Sequence[_T], str]:
    """Return a page of a complete list sorted by ``key``, and the token of the next page."""
    if len(request.page_token) > MAX_TOKEN:
        raise Rejected("malformed", "page_token is not one this node gave")
    size = page_size(request, most)
    rest = [item for item in items if key(item) > request.page_token] if request.page_token else items
    return rest[:size], key(rest[size - 1]) if len(rest) > size else ""
