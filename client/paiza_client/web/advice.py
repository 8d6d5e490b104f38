"""What to do about an error, where the words of the command line would name a command: the page that helps instead."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from paiza_client.web.language import N_

ADVICE: Final[Mapping[str, str]] = MappingProxyType({
    "attachment_incomplete": N_("Wait until it has arrived; Settings, “Outbox” sends the rest."),
    "erased": N_("“Logs and evidence” says when it was erased and why."),
    "grant_missing": N_("Ask its author for consent, or leave the nominal annex behind."),
    "legal_hold": N_("Lift the hold first."),
    "not_addressed": N_("Ask the author for a message addressed to you. “Sent” shows what became of your own."),
    "not_asked": N_("Answer a request, and only the questions that it asks."),
    "not_author": N_("Write to its author."),
    "not_signer": N_("What waits for you stands under “To sign”."),
    "part_missing": N_("The page of the message shows its parts."),
    "period_differs": N_("Resolve the differences with the other member, then close the period."),
    "policy_denied": N_("Ask a colleague whose role allows it, or your coordinator."),
    "search_empty": N_("Name at least one thing to look for."),
    "second_officer_missing": N_("Choose the second officer at the end of the form."),
    "self_approval": N_("Choose another officer: nobody signs twice."),
    "source_row_known": N_("Look at that message first; then give this one up under Settings, “Outbox”."),
    "unconfirmed": N_("Look at it, and confirm on the page that it is right."),
    "unknown_id": N_("Check the number, or search for it."),
    "unknown_member": N_("Choose a member from “Directory”."),
    "unknown_recipient": N_("Choose the recipients from “Directory”."),
    "unknown_unit": N_("Choose the unit of a colleague."),
    "wrong_deputy": N_("Name another active officer, and an end within 90 days."),
})  # fmt: skip
"""By reason code."""
