"""The body of a form, bounded before and while it is read: its bytes, its fields, its files.

What a form says is kept in memory, up to `MAX_FORM_BYTES` in all. Files that come with it are written to disk as they
arrive, without a name that another program could open.
"""

from collections.abc import AsyncGenerator
from typing import Final

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request
from typing_extensions import override

from paiza_wire.message.attachment import MAX_FILE_BYTES

_CHARSET: Final = b"utf-8"  # of all our pages
MAX_FIELDS: Final = 5_000  # of one form
MAX_FILES: Final = 50
MAX_FIELD_BYTES: Final = 1024 * 1024
MAX_FORM_BYTES: Final = 8 * 1024 * 1024
"""Bytes of all fields of a form; a draft has at most 4 MiB."""
MAX_UPLOAD_BYTES: Final = MAX_FILE_BYTES + MAX_FORM_BYTES
"""Bytes of a form with files in it."""


class UnreadableFormError(MultiPartException):
    """A form is too large, or its body is none; ``is_too_large`` tells which.

    The parser closes its files only for an error of its own family.
    """

    def __init__(self, *, is_too_large: bool) -> None:
        self.is_too_large = is_too_large
        super().__init__("")


async def read(request: Request, *, files: bool = False) -> FormData:
    """Return the fields of a form, with what it brings of files if it may bring any; UnreadableFormError."""
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    if parameters.get(b"charset", _CHARSET).lower() != _CHARSET:  # some make of text what no text is
        raise UnreadableFormError(is_too_large=False)
    most = MAX_UPLOAD_BYTES if files else MAX_FORM_BYTES
    parser: FormParser | _MultiPartParser
    if kind == b"application/x-www-form-urlencoded":
        parser = FormParser(
            request.headers,
            _bounded(request, MAX_FORM_BYTES),
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
    elif kind == b"multipart/form-data":
        parser = _MultiPartParser(
            request.headers,
            _bounded(request, most),
            max_files=MAX_FILES if files else 0,
            max_fields=MAX_FIELDS,
            max_part_size=MAX_FIELD_BYTES,
        )
    else:
        return FormData()
    try:
        return await parser.parse()
    except UnreadableFormError:
        raise
    except MultiPartException as error:
        raise UnreadableFormError(is_too_large=False) from error


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """Yield the body; UnreadableFormError as soon as it is longer than it may be, by its header already."""
    declared = request.headers.get("content-length", "")
    if declared and (not declared.isdecimal() or len(declared) > len(str(most)) or int(declared) > most):
        raise UnreadableFormError(is_too_large=True)
    taken = 0
    async for each in request.stream():
        taken += len(each)
        if taken > most:
            raise UnreadableFormError(is_too_large=True)
        yield each


class _MultiPartParser(MultiPartParser):
    """A parser that keeps no more of all fields together than of a form without files."""

    _kept = 0

    @override
    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._kept += end - start
            if self._kept > MAX_FORM_BYTES:
                raise UnreadableFormError(is_too_large=True)
        super().on_part_data(data, start, end)
