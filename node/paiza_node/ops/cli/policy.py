"""`paiza-node policy`: list the rules, validate a file of rules, and explain why an act is allowed or denied.

Only reads; works whether the node runs or not, with the register that was verified last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from paiza.core.v1 import message_pb2
from paiza_cli.exit_codes import ExitCode
from paiza_domain import kinds
from paiza_domain.i18n import translate
from paiza_domain.policy_rules import SENTENCES
from paiza_node.core.access import store as access_store
from paiza_node.core.access.model import MessageQuery
from paiza_node.core.access.principals import principal_of
from paiza_node.core.errors import N_
from paiza_node.core.exchange.consent import GrantQuery
from paiza_node.core.exchange.markings import is_recalled
from paiza_node.core.messages.decryption import DecryptionKeys
from paiza_node.core.messages.model import MessageRow
from paiza_node.core.policy import MessageAttributes, Policy, PolicyContext, Principal, member_rules
from paiza_node.core.storage import Store
from paiza_node.features.forwarding import grants
from paiza_node.features.forwarding.export import AUDIENCES
from paiza_node.ops.cli.frame import Ended
from paiza_node.ops.cli.options import json_option, language_option, settings, shared
from paiza_node.ops.config import Config
from paiza_node.ops.keys import load_keys
from paiza_node.ops.language import _, language, ngettext, number_text
from paiza_node.ops.offline import known_register, read_only
from paiza_node.ops.terminal import print_json
from paiza_register import Register
from paiza_wire import message as wire
from paiza_wire.errors import Rejected
from paiza_wire.identity import SpiffeId

ABOUT_MESSAGES: Final = ("open", "open_annex", "submit", "deliver", "forward", "take_forwarded", "export", "derive")
OTHERS: Final = (
    "session", "upload", "list", "watch", "trail", "evidence", "read_log", "read_register", "ceremony",
    "publish_directory", "exchange",
)  # fmt: skip


@click.group("policy", help=N_("Check rules, and explain why an act is allowed or denied."))
@language_option
def command() -> None:
    """Group the commands about the policy."""


@command.command(
    "check", help=N_("List the rules in force, with FILE as the member's own. Fails if a rule is invalid.")
)
@shared
@json_option
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check(config_path: Path, log_level: str | None, file: Path | None, *, as_json: bool) -> None:
    """Check all rules."""
    config = settings(config_path, log_level)
    _reader, register = known_register(config)
    rules = _Rules.of(config, register, file)
    rows = list(rules.rows())
    if as_json:
        print_json({"rules": [{"source": source, "rule": rule, "effect": effect} for source, rule, effect in rows]})
        return
    for source, rule, effect in rows:
        said = translate(SENTENCES[rule], language()) if rule in SENTENCES else ""
        click.echo(f"{source}: {_(EFFECTS[effect])} {rule}" + (f": {said}" if said else ""))
    text = ngettext("{count} rule is valid.", "{count} rules are valid.", len(rows))
    click.echo(text.format(count=number_text(len(rows))))


@command.command(
    "explain",
    help=N_(
        "Show whether ACTOR may do ACTION with MESSAGE, and which rules decide. ACTOR: an officer"
        " of ours or a member. MESSAGE: an id, a digest or its beginning; none for actions "
        "without a message. Exits with 3 if denied. Actions: open, open_annex, submit, deliver, forward, "
        "take_forwarded, export, derive, session, upload, list, watch, trail, evidence, read_log, read_register, "
        "ceremony, publish_directory, exchange."
    ),
)
@shared
@json_option
@click.option("--to", "recipient", default="", metavar="MEMBER", help=N_("The member it is forwarded to."))
@click.option("--purpose", default="investigate", show_default=True, help=N_("The purpose: a code of the list."))
@click.option(
    "--audience",
    type=click.Choice([each.replace("_", "-") for each in AUDIENCES.values()]),
    default="own-unit",
    show_default=True,
    help=N_("The recipient of the export."),
)
@click.option("--without-annex", is_flag=True, help=N_("The nominal annex stays behind."))
@click.argument("actor")
@click.argument("action", type=click.Choice([*ABOUT_MESSAGES, *OTHERS]), metavar="ACTION")
@click.argument("message", required=False, default="")
def explain(
    config_path: Path,
    log_level: str | None,
    actor: str,
    action: str,
    message: str,
    recipient: str,
    purpose: str,
    audience: str,
    *,
    without_annex: bool,
    as_json: bool,
) -> None:
    """Explain one decision."""
    config = settings(config_path, log_level)
    _reader, register = known_register(config)
    rules = _Rules.of(config, register, None)
    with read_only(config) as store:
        principal = _principal(config, store, register, actor)
        if action in OTHERS:
            allowed, deciding = rules.policy.explain(principal, action)
        else:
            if not message:
                raise click.UsageError(_("This action is about a message: name one."))
            asked = _Act(config, store, register, _found(store, message))
            query = (recipient or config.member, purpose, audience.replace("-", "_"))
            allowed, deciding = asked.decide(rules.policy, principal, action, query, without_annex=without_annex)
    if as_json:
        print_json({"allowed": allowed, "rules": [{"rule": rule, "says": _says(rule)} for rule in deciding]})
    else:
        click.echo(_("allowed") if allowed else _("denied"))
        for rule in deciding:
            click.echo(f"  {rule}: {_says(rule)}")
        if not deciding:
            click.echo("  " + _("No rule permits it."))
    if not allowed:
        raise Ended(ExitCode.REFUSED)


EFFECTS: Final = {"permit": N_("permits"), "forbid": N_("forbids")}


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules in force: base, agreements, the member's own."""

    policy: Policy
    texts: Sequence[tuple[str, str]]
    path: Path

    @classmethod
    def of(cls, config: Config, register: Register, file: Path | None) -> "_Rules":
        """Read and validate them as the node does; ``file`` replaces the one in node.toml."""
        path = file or config.policy
        own = [member_rules.read(path)] if path is not None else []
        texts = [("base.cedar", Policy.base()), *register.agreements, *own]
        return cls(Policy(register.agreements, own), texts, path or config.path)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield (source, rule, effect) in their order."""
        for source, text in self.texts:
            for rule, effect in member_rules.effects(text, self.path):
                yield source, rule, effect


class _Act:
    """A stored message and an intended act."""

    def __init__(self, config: Config, store: Store, register: Register, row: MessageRow) -> None:
        self._config = config
        self._store = store
        self._register = register
        self._row = row
        self._header = wire.parse_header(row.header)

    def decide(
        self, policy: Policy, principal: Principal, action: str, query: tuple[str, str, str], *, without_annex: bool
    ) -> tuple[bool, tuple[str, ...]]:
        """Decide as the node does, with any grant it holds."""
        header, (recipient, purpose, audience) = self._header, query
        kind = kinds.get(header.kind, header.kind_version)
        holders = [recipient] if action in ("forward", "submit") else [self._config.member]
        if action == "submit":
            holders = [each.member for each in header.recipients]
        ceiling = min(self._register.member(each).classification_ceiling for each in holders)
        facts = MessageAttributes.of(header, kind.sender_roles, ceiling, kind.workflow)
        roles = frozenset(each.role for each in header.required_signers) if action == "submit" else frozenset[str]()
        annex = message_pb2.PART_KIND_NOMINAL_ANNEX
        with_annex = not without_annex and any(part.kind == annex for part in header.parts)
        policy_context = None
        if action in ("forward", "take_forwarded", "export", "derive"):
            policy_context = self._policy_context(action, recipient, purpose, audience, with_annex=with_annex)
        return policy.explain(principal, action, facts, roles, policy_context)

    def _policy_context(
        self, action: str, recipient: str, purpose: str, audience: str, *, with_annex: bool
    ) -> PolicyContext:
        header, member = self._header, self._config.member
        query = GrantQuery(self._row.digest, header.author, recipient, purpose, with_annex, datetime.now(UTC))
        granted = header.author == member and (action == "export" or not with_annex)
        if not granted and action != "derive":
            keys = load_keys(self._config, self._register.member(member))
            granted = grants.find(self._store, query, DecryptionKeys(member, keys.decryption)) is not None
        with self._store.reads() as reads:
            recalled = is_recalled(reads, self._row.digest, header.author)
        return PolicyContext(
            recipient=recipient,
            audience=audience,
            purpose=purpose,
            granted=granted,
            recalled=recalled,
            with_annex=with_annex,
        )


def _principal(config: Config, store: Store, register: Register, actor: str) -> Principal:
    if actor in register.members or actor in register.unusable:
        return Principal(actor, suspended=actor not in register.active_ids, node=True)
    full = actor if actor.startswith("spiffe://") else str(SpiffeId(config.member, config.federation, "officer", actor))
    with store.reads() as reads:
        officer = access_store.officers(reads).get(full)
    if officer is None:
        raise Rejected("unknown_officer", actor)
    return principal_of(officer)


def _found(store: Store, text: str) -> MessageRow:
    digits = text.replace("-", "").lower()
    if not digits or digits.strip("0123456789abcdef"):
        raise Rejected("unknown_id", "name a message by its id or digest, or the beginning of one")
    with store.reads() as reads:
        found = access_store.find_messages(reads, MessageQuery(id_prefix=digits, limit=2))
    if len(found) > 1:
        raise Rejected("ambiguous_id", "more than one message begins so")
    if not found:
        raise Rejected("unknown_id", "no message begins so")
    return found[0]


def _says(rule: str) -> str:
    if rule in SENTENCES:
        return translate(SENTENCES[rule], language())
    return _("A rule of an agreement, or of this member.")
