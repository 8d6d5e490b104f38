"""The configuration of a new node: every setting, its default and its danger. Comments are English."""

import json
from pathlib import Path
from typing import Final

TEMPLATE: Final = """# The node of {member} in {federation}.
# Relative paths begin at this file's folder. PAIZA_NODE_<SETTING> in the environment overrides a setting.
# The table of all settings is in node/README.md.

# Who this node is, as the register names it. Changing either makes it another node: its certificate no longer fits.
member = {member_text}
federation = {federation_text}

# Where peers and officers reach it. Every other member and every officer must get through to this port; nothing else
# needs to be open.
listen = {listen}

# The root of all trust, as `join` wrote it. Anyone who can replace this file decides whom the node believes.
bootstrap_root = "root.json"

# Database, last signed checkpoint, register. Never put back an old copy of it while the node is in a federation: it has
# signed more than the copy knows ("log_rolled_back").
# data = "data"

# Database URL; default: SQLite in the data folder. postgresql://user@/database?host=/run/postgresql for PostgreSQL.
# A password does not belong here but in ~/.pgpass.
# database = ""

# Folder of tls.key, tls.crt, log.key, witness.key, index.key, encryption*.seed, publisher.key, revocations-*.pem. Only
# the node's own user may read it; keep a copy apart.
# keys = "keys"

# A file whose first line is the passphrase of all the keys; only the node's own user may read it. Without it the
# service manager's credential "paiza-node.passphrase" is used, else the passphrase is asked for on the terminal.
{comment}passphrase_file = {passphrase_file}

# false also accepts keys that are under no passphrase. A copy of the key folder, from a backup or a stolen disk, then
# signs and opens in this member's name. For machines that hold no secrets only.
{sealed}

# The operator's socket. Anyone who can open it is the operator, and decides who speaks for this member.
admin_socket = {admin_socket}

# The socket of the member's issuer, which certifies officers and this node. Without it officers are certified with
# `paiza-trust ca certify` and admitted with `paiza-node officer admit`. Default: none.
# issuer_socket = ""

# With issuer_socket: host:port at which invited persons enrol, and the same as they reach it. The node listens there
# only while somebody is expected. Default: none.
# enrol_listen = ""
# enrol_address = ""

# host:port for Prometheus, without encryption or password: loopback or a management network. Default: none.
# metrics_listen = ""

# This member's own rules, in Cedar: a file that can only forbid more. Try it with `paiza-node policy check FILE`: a
# rule too many can stop the work. Default: none.
# policy = ""

# Lets foreign clients discover the services. Tells callers with a certificate what there is; nothing more.
# reflection = false

# A message that could not be delivered for so long is given up, and its officers are told. 1 to 8760.
# delivery_life_hours = 336

# A message whose second officer has not decided for so long is given up, and its author is told; never later than its
# own urgency asks for an answer. 1 to 720.
# approval_life_hours = 72

# After so long what the log says of a message is replaced by hashes, once its content was erased. What is gone cannot
# be shown to a court or an auditor any more; the law of your state says how long logs are kept. 365 to 36525.
# audit_retention_days = 3653

# The unit that gets what is addressed to no unit of yours, and what nobody acknowledged in time. Without it all your
# officers share every task and see all that is not addressed to a unit. Default: none.
# duty_unit = ""

# debug, info, warning or error. No level writes content or keys.
# log_level = "info"

# What one caller may use of this node; see "Limits" in node/README.md. It stands at the end: a table ends the settings.
# [limits]

# Seconds after which callers are answered that the database is slow; the commit itself goes on.
# commit_seconds = 10

# Connections of officers and peers together; each needs a descriptor.
# connections = 2048

# Calls under way at once: of an officer, of an officer's watches, and of a peer's node.
# calls_per_officer = 16
# watches_per_officer = 8
# calls_per_peer = 16

# What one officer may release in a day, and what their calls may add to the log. An import is counted by its rows. The
# day is one of UTC. A stop, a report of lost control, a recall, an approval and a FLASH message are never refused.
# officer_messages_per_day = 120000
# officer_message_bytes_per_day = 4000000000
# officer_log_entries_per_day = 1000000

# What one peer's node may deliver in a day, and what its calls may add to the log. The rest waits at that node.
# peer_messages_per_day = 500000
# peer_message_bytes_per_day = 16000000000
# peer_log_entries_per_day = 1000000
"""


def node_toml(
    member: str, federation: str, listen: str, admin_socket: str, passphrase_file: Path | None, *, sealed: bool = True
) -> str:
    """Return the text of node.toml; ``sealed`` False accepts keys that are under no passphrase.

    JSON's strings are TOML's basic strings.
    """
    return TEMPLATE.format(
        member=member,
        federation=federation,
        member_text=json.dumps(member),
        federation_text=json.dumps(federation),
        listen=json.dumps(listen),
        admin_socket=json.dumps(admin_socket, ensure_ascii=False),
        comment="# " if passphrase_file is None else "",
        passphrase_file=json.dumps(str(passphrase_file or ""), ensure_ascii=False),
        sealed="# sealed = true" if sealed else "sealed = false",
    )
