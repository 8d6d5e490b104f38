"""The subject lines of listed messages, where the list itself came without them.

A subject never changes, so each is asked for once. The node logs SUBJECTS_SHOWN once for each page asked for, not for
each message.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from paiza_client.sdk.model import MessageSummary
from paiza_client.web.console import Console

PAGE: Final = 500
MAX_PAGES: Final = 4
_SECOND: Final = timedelta(seconds=1)


async def named(console: Console, listed: Sequence[MessageSummary]) -> list[MessageSummary]:
    """Return the messages with their subjects, as far as these were found in a few pages around their times."""
    known = console.subjects
    missing = {each.digest for each in listed if not each.subject and each.digest not in known}
    if missing:
        times = [each.stored_time for each in listed if each.digest in missing]
        token = ""
        for _page in range(MAX_PAGES):
            page = await console.session.list_messages(
                box="both",
                since=min(times),
                until=max(times) + _SECOND,
                subjects=True,
                page_size=PAGE,
                page_token=token,
            )
            known.update((each.digest, each.subject) for each in page.messages)
            missing -= known.keys()
            token = page.next_token
            if not missing or not token:
                break
        known.update(dict.fromkeys(missing, b""))
    return [each if each.subject else replace(each, subject=known.get(each.digest, b"")) for each in listed]
