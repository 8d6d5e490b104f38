"""A working day of four members, act by act, through the program an officer uses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tests.demo import waiting
from tests.demo.desk import Answer, DemoFailedError, Desk
from tests.federation import Federation

MEMBERS: Final = ("kaz", "tjk", "uzb", "centre")

SHORT: Final = 18  # hexadecimal digits of an id, as an officer would type them
REFUSED: Final = 3
NOT_NOW: Final = 4
NOT_PROVEN: Final = 5


@dataclass(frozen=True)
class Refusal:
    """Something that had to be refused, and was: who wanted what, and why not."""

    who: str
    what: str
    reason: str
    sentence: str


@dataclass
class Day:
    """The state that the acts share, with the refusals and one message to prove by hand."""

    federation: Federation
    desk: Desk
    refusals: list[Refusal] = field(default_factory=list)
    shown: str = ""

    def send(self, profile: str, *arguments: str) -> Any:
        """Send or answer; tells what the own node's log says of it."""
        sent = self.desk.paiza(profile, *arguments).result
        logged = sent["released"]
        to = ", ".join(each["counterpart"] for each in logged)
        places = f"#{logged[0]['index']}" + (f"-{logged[-1]['index']}" if len(logged) > 1 else "")
        self.desk.tell(
            f"{sent['thread']} released to {to}: {logged[0]['log']} {places}",
            f"{sent['thread']} отправлено: {to}; {logged[0]['log']} {places}",
        )
        return sent

    def four_eyes(self, member: str, *arguments: str) -> Any:
        """Submit a message as one officer and sign it as the authoriser; it is released only then."""
        waiting_now = self.desk.paiza(f"{member}-liaison", *arguments, "--second", "authoriser").result
        self.desk.tell(
            f"waits for {', '.join(waiting_now['missing'])}", f"ожидает подписи: {', '.join(waiting_now['missing'])}"
        )
        return self.send(f"{member}-authoriser", "approve", waiting_now["id"][:SHORT], "--yes")

    def arrive(self, profile: str, sent: Any, *members: str) -> None:
        """Wait until a message is where it should be."""
        waiting.until_settled(self.federation.home, profile, sent["id"], members)

    def open(self, profile: str, sent: Any, *arguments: str) -> Any:
        """Open a message by the short id an officer would type; tells what was proven."""
        opened = self.desk.paiza(profile, "open", short(sent), *arguments).result
        proven = opened["verified"]
        signer = proven["signers"][0]["id"].removeprefix("spiffe://")
        logged = proven["opened"]
        self.desk.tell(
            f"signed by {signer}; this opening is {logged['log']} #{logged['index']}",
            f"подпись: {signer}; это открытие: {logged['log']} #{logged['index']}",
        )
        return opened

    def refused(self, what: tuple[str, str], reason: str, profile: str, *arguments: str, code: int = REFUSED) -> None:
        """Run a command that must be refused for just this reason."""
        answer = self.desk.paiza(profile, *arguments, expect=code)
        self.note_refusal(what, reason, profile, answer)

    def note_refusal(self, what: tuple[str, str], reason: str, who: str, answer: Answer) -> None:
        """Keep a refusal for the table; DemoFailedError where its reason is another."""
        if answer.error["reason"] != reason:
            raise DemoFailedError(f"refused as {answer.error['reason']}, not as {reason}: {answer.error}")
        problems = answer.error.get("problems", [])
        rule = f"{reason}, {problems[0]['code']}" if problems else reason
        sentence = problems[0]["what"] if problems else answer.error["what"]
        self.refusals.append(Refusal(who, self.desk.voice(*what), rule, sentence))
        self.desk.tell(f"refused ({rule}): {sentence}", f"отклонено ({rule}): {sentence}")


def short(sent: Any) -> str:
    """Shorten an id as an officer would: a unique beginning is enough."""
    return str(sent["id"])[:SHORT]


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}"


def seizures(day: Day) -> None:
    """Notify three members of a seizure, one of them of persons too."""
    notice = day.send("kaz-liaison", "send", "seizure-notice", "seizure.yaml")
    nominal = day.send("tjk-liaison", "send", "seizure-notice", "seizure-with-persons.yaml")
    day.arrive("kaz-liaison", notice)
    day.arrive("tjk-liaison", nominal)
    day.open("uzb-duty", notice)
    day.refused(
        ("open the persons without saying why", "открыть сведения о лицах без указания причины"),
        "opening_reason_missing", "kaz-duty", "open", short(nominal), "--part", "annex",
    )  # fmt: skip
    opened = day.open("kaz-duty", nominal, "--part", "annex", "--reason", "EXERCISE-2: is the driver known?")
    person = opened["content"]["persons"][0]
    day.desk.tell(
        f"the annex names {person['given_names']} {person['surname']}, {person['role']}",
        f"в приложении: {person['given_names']} {person['surname']}, {person['role']}",
    )


def questions(day: Day) -> None:
    """Ask, answer, thank and acknowledge, all in one thread."""
    asked = day.send("kaz-liaison", "send", "information-request", "request.yaml")
    day.arrive("kaz-liaison", asked)
    day.open("tjk-duty", asked)
    answer = day.send("tjk-duty", "reply", short(asked), "answer.yaml")
    day.arrive("tjk-duty", answer)
    day.shown = answer["id"]
    thanks = day.send("kaz-liaison", "reply", short(answer), "thanks.yaml")
    day.arrive("kaz-liaison", thanks)
    draft = day.desk.template("tjk-duty", "reply", short(thanks), "--kind", "acknowledgement", "--template")
    filled = draft.replace("  message_digest:", f"  message_digest: {thanks['digest']}")
    (day.desk.folder / "acknowledgement.yaml").write_text(filled)
    day.arrive("tjk-duty", day.send("tjk-duty", "reply", short(thanks), "acknowledgement.yaml"))
    thread = day.desk.paiza("tjk-duty", "thread", asked["thread"]).result
    if [each["kind"] for each in thread] != [
        "information-request",
        "information-answer",
        "free-message",
        "acknowledgement",
    ]:
        raise DemoFailedError(f"the thread holds {[each['kind'] for each in thread]}")
    day.desk.tell(
        "request, answer, message and acknowledgement stand in order",
        "запрос, ответ, сообщение и подтверждение расположены по порядку",
    )


def flash(day: Day) -> None:
    """Ring at a duty unit that watches."""
    after = waiting.newest(day.federation.home, "tjk-duty")
    with day.desk.watching("tjk-duty", "watch", "--after", str(after)) as news:
        sent = day.send("uzb-duty", "send", "free-message", "flash.yaml")
        heard = next(each for each in news if each["id"] == sent["id"])
    day.desk.tell(
        f"{heard['urgency']} rings at tjk: {heard['thread']}",
        f"{heard['urgency']} — звуковой сигнал в tjk: {heard['thread']}",
    )
    day.arrive("uzb-duty", sent)


def refusals(day: Day) -> None:
    """Try what the rules do not allow."""
    day.refused(
        ("send tjk what is marked above its ceiling", "отправить tjk материал с грифом выше его предельного"),
        "invalid_draft", "centre-liaison", "send", "free-message", "too-secret.yaml",
    )  # fmt: skip
    day.refused(
        ("send as an auditor", "отправить в роли аудитора"),
        "role_missing", "uzb-auditor", "send", "seizure-notice", "seizure.yaml", "--to", "kaz",
    )  # fmt: skip


def absence(day: Day) -> None:
    """Stop a node while others write to it and its own officer writes too; start it again."""
    tjk = day.federation.node("tjk")
    tjk.stop()
    day.desk.tell("(the node of tjk was stopped)", "(узел tjk остановлен)")
    sent = day.send("kaz-liaison", "send", "free-message", "while-away.yaml")
    day.arrive("kaz-liaison", sent, "uzb")
    (listed,) = day.desk.paiza("kaz-liaison", "thread", short(sent)).result
    states = {each["recipient"]: each["state"] for each in listed["deliveries"]}
    if states != {"uzb": "delivered", "tjk": "waiting"}:
        raise DemoFailedError(f"with tjk away the deliveries stand at {states}")
    day.desk.tell("delivered to uzb, waiting for tjk", "uzb — доставлено, tjk — ожидает доставки")
    kept = day.desk.paiza("tjk-liaison", "send", "free-message", "thanks.yaml", "--to", "centre", expect=NOT_NOW)
    if not kept.error.get("saved"):
        raise DemoFailedError(f"a message written without the node was not kept: {kept.error}")
    day.desk.tell(
        "the own node is away: signed, sealed and kept in the outbox",
        "собственный узел недоступен: подписано, зашифровано и сохранено в исходящих",
    )
    tjk.start()
    day.desk.tell("(the node of tjk was started)", "(узел tjk запущен)")
    flushed = day.desk.paiza("tjk-liaison", "outbox", "flush").result
    if [each["state"] for each in flushed] != ["released"]:
        raise DemoFailedError(f"the outbox gave {flushed}")
    day.desk.tell(f"{flushed[0]['thread']} went from the outbox", f"{flushed[0]['thread']} отправлено из исходящих")
    day.arrive("kaz-liaison", sent)


def journal(day: Day) -> None:
    """Import a table from another system, twice."""
    command = ("import", "seizures", "journal.csv", "--map", "journal.toml")
    for expected in (3, 0):
        made = day.desk.paiza("uzb-liaison", *command).result
        if (made["rows"], made["sent"], made["rejected"]) != (5, expected, 1):
            raise DemoFailedError(f"the import gave {made}")
        day.desk.tell(
            f"{made['rows']} rows: {made['accepted']} accepted, {made['repaired']} repaired, "
            f"{made['repeated']} repeated, {made['rejected']} rejected; {made['sent']} sent",
            f"строк {made['rows']}: принято {made['accepted']}, исправлено {made['repaired']}, "
            f"повторов {made['repeated']}, отклонено {made['rejected']}; отправлено {made['sent']}",
        )


def delivery(day: Day) -> None:
    """Ask for a controlled delivery across two borders, authorise, hand over twice, report, close."""
    asked = day.send("tjk-liaison", "cd", "request", "cd-request.yaml")
    thread = asked["thread"]
    day.arrive("tjk-liaison", asked)
    noted = day.send("uzb-duty", "cd", "acknowledge", thread)
    limits = day.send("uzb-liaison", "cd", "decide", thread, "conditions", "cd-conditions.yaml")
    day.arrive("uzb-liaison", limits)
    day.arrive("tjk-liaison", day.send("tjk-liaison", "cd", "answer", thread, "cd-conditions-answer.yaml"))
    for member in ("tjk", "uzb"):
        day.arrive(
            f"{member}-liaison", day.four_eyes(member, "cd", "decide", thread, "authorise", "cd-authorisation.yaml")
        )
    day.refused(
        ("sign the plan before every state has authorised", "подписать план без разрешения всех государств"),
        "workflow_breach", "tjk-liaison", "cd", "plan", thread, "cd-plan.yaml", "--second", "authoriser",
    )  # fmt: skip
    day.arrive("kaz-liaison", day.four_eyes("kaz", "cd", "decide", thread, "authorise", "cd-authorisation.yaml"))
    day.arrive("tjk-liaison", day.four_eyes("tjk", "cd", "plan", thread, "cd-plan.yaml"))
    day.arrive(
        "tjk-liaison", day.send("tjk-liaison", "cd", "activate", thread, "--yes", "--set", f"started_at={_now()}")
    )
    for giver, taker, point in (("tjk", "uzb", "Invented Bridge"), ("uzb", "kaz", "Invented Steppe Gate")):
        offer = (f"taker={taker}", f"point={point}", f"planned={_now()}")
        day.arrive(
            f"{giver}-duty", day.send(f"{giver}-duty", "cd", "offer", thread, *(w for o in offer for w in ("--set", o)))
        )
        taken = day.send(f"{taker}-duty", "cd", "accept", thread, "--yes", "--set", f"taken_at={_now()}")
        day.arrive(f"{taker}-duty", taken)
    day.arrive("kaz-duty", day.send("kaz-duty", "cd", "delivered", thread, "cd-delivered.yaml"))
    for step, draft in (("outcome", "cd-outcome.yaml"), ("evidence", "cd-evidence-return.yaml")):
        day.arrive("kaz-liaison", day.send("kaz-liaison", "cd", step, thread, draft))
    day.arrive("tjk-liaison", day.send("tjk-liaison", "cd", "close", thread, "--set", "remarks=The exercise is over."))
    shown = {
        member: day.desk.paiza(f"{member}-liaison", "cd", "show", thread).result for member in ("tjk", "uzb", "kaz")
    }
    stands = {(each["overall"], len(each["steps"]), each["ineffective_count"]) for each in shown.values()}
    if stands != {("closed", len(shown["tjk"]["steps"]), 0)} or noted["thread"] != thread:
        raise DemoFailedError(f"the delivery stands at {stands}")
    day.desk.tell(
        f"closed; three nodes fold the same {len(shown['tjk']['steps'])} steps to the same standing",
        f"закрыта; три узла приводят одни и те же {len(shown['tjk']['steps'])} шагов к одному состоянию",
    )


def recall(day: Day) -> None:
    """Recall a message: every holder is informed and acknowledges; its content is shown only with a reason."""
    sent = day.send("uzb-liaison", "send", "free-message", "while-away.yaml", "--to", "kaz,tjk")
    day.arrive("uzb-liaison", sent)
    recalled = day.four_eyes(
        "uzb", "recall", short(sent), "--because", "sent-in-error", "--reason", "Exercise: the wrong list.",
    )  # fmt: skip
    day.arrive("uzb-liaison", recalled)
    day.refused(
        ("open a recalled message without a reason", "открыть отозванное сообщение без причины"),
        "recalled", "kaz-duty", "open", short(sent),
    )  # fmt: skip


ACTS: Final[Sequence[tuple[tuple[str, str], Callable[[Day], None]]]] = (
    (("Seizure notices, one with a nominal annex", "Сообщения об изъятиях, одно с персональными данными"), seizures),
    (("A question to a neighbour, and its answer", "Запрос соседнему государству и ответ"), questions),
    (("A FLASH message", "Сообщение «МОЛНИЯ»"), flash),
    (("A controlled delivery across two borders", "Контролируемая поставка через две границы"), delivery),
    (("A recall", "Отзыв сообщения"), recall),
    (("What the rules do not allow", "Действия, запрещённые правилами"), refusals),
    (("A node away for a while", "Узел временно недоступен"), absence),
    (("A journal of past seizures", "Журнал изъятий за прошлые годы"), journal),
)
