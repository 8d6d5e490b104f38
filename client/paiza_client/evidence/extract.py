"""The parts that an evidence file discloses, as bytes, as records, and as files for a reader."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from paiza.content.v1.attachment_info_pb2 import AttachmentInfo
from paiza.core.v1 import message_pb2
from paiza_client.evidence import container
from paiza_client.evidence.evidence import Evidence
from paiza_client.language import _
from paiza_domain import kinds
from paiza_domain.json_form.values import attachment_object, to_object
from paiza_domain.schema.shapes import Shape
from paiza_officer.errors import NotProven, Refused, located
from paiza_wire.errors import Rejected
from paiza_wire.message import attachment, parse_strictly


@dataclass(frozen=True, slots=True)
class DisclosedPart:
    """A disclosed part: ``data`` as it was sealed, of an attachment the file; ``content`` to be read.

    ``content`` is the record of the message's kind, of an attachment its name, type and note. None where this program
    does not know the kind. ``shape`` describes the record of a kind.
    """

    number: int
    data: bytes
    content: Message | None
    shape: Shape | None = None

    def as_object(self) -> dict[str, Any] | None:
        """Return the content as `to_object`, of an attachment as `attachment_object`; None where there is none."""
        if isinstance(self.content, AttachmentInfo):
            return attachment_object(self.content)
        return None if self.content is None or self.shape is None else to_object(self.shape, self.content)


def read_part(found: Evidence, number: int) -> DisclosedPart:
    """Return a part by its number, one of ``found.disclosed``. NotProven where it is no content of its kind."""
    header, plaintext = found.message.header, found.disclosed[number]
    with located(f"keys/{number}.key", NotProven):
        if header.parts[number].kind == message_pb2.PART_KIND_ATTACHMENT:
            info, data = attachment.split_plaintext(plaintext)
            return DisclosedPart(number, data, info)
        try:
            kind = kinds.get(header.kind, header.kind_version)
        except Rejected:
            return DisclosedPart(number, plaintext, None)
        shape = kind.shape if header.parts[number].kind == message_pb2.PART_KIND_MAIN else kind.annex_shape
        content = None if shape is None else parse_strictly(shape.message, plaintext, "the content")
        return DisclosedPart(number, plaintext, content, shape)


def extract(found: Evidence, folder: Path) -> list[Path]:
    """Write each disclosed part as ``part-N.bin`` and, where its content is known, ``part-N.json``; return the files.

    The folder is made where it is missing; only its owner can read what is written. Refused("part_missing") where
    nothing is disclosed, ("file_unwritable") where a file exists or cannot be written; NotProven as `read_part`.
    """
    if not found.disclosed:
        raise Refused("part_missing", str(folder), _("no part is disclosed in this file"))
    contents: dict[str, bytes] = {}
    for number in found.disclosed:
        part = read_part(found, number)
        contents[f"part-{number}.bin"] = part.data
        if (described := part.as_object()) is not None:
            contents[f"part-{number}.json"] = (json.dumps(described, ensure_ascii=False, indent=1) + "\n").encode()
    for name in contents:
        if (folder / name).exists():
            raise Refused("file_unwritable", str(folder / name), _("it exists"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused("file_unwritable", str(folder), error.strerror or "") from error
    for name, data in contents.items():
        container.write_file(folder / name, data)
    return [folder / name for name in contents]
