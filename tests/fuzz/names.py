"""The names of all targets, apart from them: what starts them need not import what they run."""

from typing import Final

NAMES: Final = (
    "agreement.cedar", "application", "attachment", "backup", "backup-record", "certificate", "certificate-request",
    "certificate-request-pem", "checkpoint", "consistency-proof", "contents", "count-query", "directory-draft", "draft",
    "entry-query", "evidence-file", "evidence-member", "federation.json", "fork-proof", "fork-proof-file", "header",
    "import-map", "import-table", "inclusion-proof", "invitation", "issuer.toml", "key-file", "liaison.json",
    "log-entry", "log-tile", "member.json", "node.toml", "officers.json", "pending-message", "profile.toml", "proposal",
    "reference-data", "register-document", "register-file", "revoked.json", "rpcs", "signed-message", "spiffe-id",
    "stored-message", "tlog-hashes", "tlog-proof", "token-uri", "tuf-metadata", "unsigned-metadata", "vkey",
)  # fmt: skip
