"""Everything that was opened, with its proofs, as JSON or YAML: the objects that `paiza open --json` prints."""

import io
import json
import textwrap
from collections.abc import Iterable
from typing import Any, BinaryIO

from ruamel.yaml import YAML

from paiza_client.data.exports.records import Record
from paiza_client.sdk import as_json
from paiza_client.sdk.open_many import OpenedMessage
from paiza_domain.json_form.values import to_object


def described(opened: OpenedMessage, record: Record) -> dict[str, Any]:
    """Return one message as an object."""
    found = {**as_json.opened(opened.main), "content": to_object(record.kind.shape, record.content)}
    if record.annex is not None and record.kind.annex_shape is not None:
        found["annex"] = to_object(record.kind.annex_shape, record.annex)
    return found


def write(objects: Iterable[Any], file_format: str, file: BinaryIO) -> None:
    """Write a list with one object for each message, as they come; ``file_format`` is "json" or "yaml"."""
    if file_format == "json":
        before = "[\n"
        for each in objects:
            text = json.dumps(each, ensure_ascii=False, indent=2, default=as_json.value)
            file.write((before + textwrap.indent(text, "  ")).encode())
            before = ",\n"
        file.write(b"\n]\n")
        return
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    for each in objects:
        stream = io.StringIO()
        yaml.dump([each], stream)  # lists of one after the other are one list
        file.write(stream.getvalue().encode())
