"""Everything that was opened, with its proofs, as JSON or YAML: the objects that `paiza open --json` prints."""

import io
import json
from collections.abc import Sequence

from ruamel.yaml import YAML

from paiza_client.data.exports.records import Record
from paiza_client.sdk import as_json
from paiza_client.sdk.open_many import OpenedMessage


def write(opened: Sequence[OpenedMessage], records: Sequence[Record], file_format: str) -> str:
    """Write a list with one object for each message; ``file_format`` is "json" or "yaml"."""
    objects = []
    for each, record in zip(opened, records, strict=True):
        described = {**as_json.opened(each.main), "content": as_json.message(record.content)}
        if record.annex is not None:
            described["annex"] = as_json.message(record.annex)
        objects.append(described)
    text = json.dumps(objects, ensure_ascii=False, indent=2, default=as_json.value) + "\n"
    if file_format == "json":
        return text
    stream = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.dump(json.loads(text), stream)
    return stream.getvalue()
