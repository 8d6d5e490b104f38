"""The commands of both guides, run as they stand: the program takes every one of them."""

import re
import shutil
from pathlib import Path

import pytest

from paiza_cli.exit_codes import ExitCode
from tests import guides
from tests.federation import Federation
from tests.integration.client.conftest import Paiza

PLACEHOLDERS = {
    "УЧАСТНИК": "MEMBER", "НОМЕР": "ID", "ВИД": "KIND", "ИМЯ": "NAME", "ТЕКСТ": "TEXT", "ПАПКА": "FOLDER",
    "ФАЙЛ": "FILE", "ЧЕРНОВИК": "DRAFT", "ДЕНЬ": "DAY", "ПОДРАЗДЕЛЕНИЕ": "UNIT", "НОВЫЙ": "NEW", "ОТЗЫВ": "RECALL",
    "СООБЩЕНИЕ": "NOTICE",
}  # fmt: skip
"""The words that stand for values in the Russian guide."""
SKIPPED = frozenset({("watch",), ("web",), ("bridge",), ("enrol",), ("release", "grant"), ("release", "deny")})
"""Commands that last, that ask for what only a new officer has, or that answer a request which nobody sent here."""
KINDS = {
    "request.yaml": "cd-request", "answer.yaml": "information-answer", "corrected.yaml": "seizure-notice",
    "operation.yaml": "operation", "report.yaml": "situation-report",
}  # fmt: skip
"""The files of the guide that an officer writes, by the kind of their draft."""
WRONG = {ExitCode.USAGE, ExitCode.INTERNAL_ERROR}


@pytest.mark.parametrize("lang", guides.GUIDES)
def test_every_command_of_the_guide_is_understood(
    paiza: Paiza,
    federation: Federation,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lang: str,
) -> None:
    """Each is done, or refused for what the federation holds; none for how it is written."""
    monkeypatch.chdir(tmp_path)
    for name, kind in KINDS.items():
        (tmp_path / name).write_text(f"kind: {kind}\ncontent: {{}}\n")
    (tmp_path / "files").mkdir()
    notice = (root / "tests/demo/drafts/seizure.yaml").read_text("utf-8")
    (tmp_path / "notice.yaml").write_text(re.sub(r"(?m)^to: .*$", "to: [tjk]", notice), "utf-8")
    shutil.copy(federation.folder / "root.json", tmp_path)
    message_id = str(paiza("kaz-liaison", "send", "seizure", "notice.yaml", "--json").json["id"])
    values = {
        "ID": message_id, "NEW": message_id, "RECALL": message_id, "NOTICE": message_id, "KAZ-2026-00001": message_id,
        "MEMBER": "tjk", "KIND": "free-message", "NAME": "duty", "UNIT": "border-service", "TEXT": "Exercise",
        "DAY": "2026-11-01", "FILE": "file", "FOLDER": "files", "DRAFT": "draft.yaml", "csv|xlsx|json": "csv",
    }  # fmt: skip
    wrong = []
    for each in guides.commands(guides.text_of(root, lang)):
        _command, path, _options = guides.resolved(each.words)
        if path in SKIPPED:
            continue
        words = [values.get(PLACEHOLDERS.get(word, word), word) for word in each.words]
        profile = "kaz-liaison"
        if "--profile" in words:
            at = words.index("--profile")
            profile = words[at + 1]
            del words[at : at + 2]
        words = [str(root / word) if word.startswith("tests/") else word for word in words]
        ran = paiza(profile, *words, "--lang", lang)
        if each.output:
            (tmp_path / each.output).write_text(ran.out)
        if ran.code in WRONG:
            wrong.append((each.line, ran.err))
    assert not wrong, "\n".join(f"{line}\n{told}" for line, told in wrong)
