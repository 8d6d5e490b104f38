"""Opened messages as tables and pages for others: `export_messages` does it all at the own node.

`export` asks for leave and opens, `journal` is an export under way on disk, `records` holds what was opened; `forms`
lists the forms: `whole` writes all of it, `unodc`, `customs` and `precursors` make rows, `printing` pages. `tables`
says what a table is and keeps formulas out of it, `writing` writes it as CSV, XLSX or JSON. Every table and page
carries the strictest mark of all it was made of (`marks`). Only `export` needs the network.
"""

from paiza_client.data.exports.export import ExportResult, continue_export, export_messages
from paiza_client.data.exports.forms import FORMATS, FORMS, Form, lacks, misfit, missing_package
from paiza_client.data.exports.journal import SUFFIX, Order, Unfinished, beside, unfinished
from paiza_client.sdk.exports import AUDIENCES, Intent

__all__ = [
    "AUDIENCES",
    "FORMATS",
    "FORMS",
    "SUFFIX",
    "ExportResult",
    "Form",
    "Intent",
    "Order",
    "Unfinished",
    "beside",
    "continue_export",
    "export_messages",
    "lacks",
    "misfit",
    "missing_package",
    "unfinished",
]
