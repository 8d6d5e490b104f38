"""The SDK for an officer, or an agency's own case system, at the own node. Only here does the client import grpc.

    async with connect(profiles.find("tjk-liaison")) as session:
        async for request in threads.unanswered(session, kind="information-request"):
            opened = await session.open_part(request.digest, reason="case 12/26")
            content = answer_to(messages.content(opened))
            await replies.reply(session, request, content, attachments=["photo.jpg"])

To do                                           call
find a message by id, digest or short name      messages.find, messages.matching
list messages                                   messages.pages, messages.walk, messages.unread
list requests that our member has not answered  threads.unanswered (messages.unread is of one officer, read or not)
list what others have not answered              awaited.answers
open one, read its content, save an attachment  Session.open_part, messages.content, Session.save_attachment
open many for one reason                        open_many.choose, open_many.open_many
read a thread; how its requests stand           threads.find, .list_messages, .open_messages, .request_statuses
watch what arrives and falls due                watching.follow (reconnects), Session.news (one connection)
see what fields and codes a content has         fields.describe
prepare a draft                                 drafts.read, drafts.prepare; drafts.raise_marks, drafts.usual_handling
see whether the same was asked before           duplicates.find
try a message out, send it                      sending.try_out, .send; without the node .check, .seal_offline
answer a message                                replies.reply; replies.acknowledgement, replies.feedback
recall, correct, have erased                    recalls.recall, corrections, recalls.erasure
ask for, grant or deny a release                releases.request, releases.grant, releases.denial
pass a message on; who holds it                 Session.forwarding
controlled deliveries                           controlled_delivery.board, .status, .find, .fill, .step
joint operations                                operations.find, .within, .sheet, .result_sheet
sign as the second officer                      Session.approvals
search, tasks, legal hold and review dates      Session.search, Session.tasks, Session.retention
wait for new messages that meet a search        saved_searches.save, .listed, .acknowledge, .remove
have a deputy, see who is one                   Session.deputies
import a table, export, count                   paiza_client.data.imports, .exports, .statistics
see what all logs say of a message              trails.find
read the own log; count what members exchanged  Session.audit_query
reconcile two members, close the period         comparisons.plan, .compare, .pack, .close
prove a message to others; read such a proof    Session.evidence_files; paiza_client.evidence.evidence, .extract
substances of a message, by the reference data  substances.of_opened, substances.of_prepared
look up substances, laws and border points       reference.in_use

A function that makes a message returns it as `drafts.Prepared`, and nothing is sent until `sending.send`, which returns
`sending.Sent`; only `replies.reply` does both. What comes back has been checked (`paiza_client.verify.checks`); what is
called a `Proof` was verified in a log. Digests are 32 bytes, thread and message ids 16; times are aware; members are
named by their ids ("kaz"); contents are records of `paiza.content.v1`, whose fields `fields.describe` lists.

Errors are `Refused` (final; `Misused`, `NotProven` and `ProfileProblem` are of it) and `Unreachable` (not now; `saved`
where a message waits in the outbox), all of `paiza_officer.errors`, each with a reason code of the protocol's registry.
"""

import os

from paiza_officer import GRPC_SETTINGS

os.environ.update(GRPC_SETTINGS)  # before any module of this package imports grpc

from paiza_client.sdk.connection import connect
from paiza_client.sdk.session import Session

__all__ = ["Session", "connect"]
