"""A defect of the program as an error to be shown: its place, and nothing that was being worked on."""

from paiza_wire.errors import Rejected


def found(error: Exception) -> Rejected:
    """Return the error that tells where an exception comes from."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_filename.rpartition('/')[2]}:{frame.tb_lineno}" if frame is not None else ""
    return Rejected("internal_error", f"{type(error).__name__} at {place}")
