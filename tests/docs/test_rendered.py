"""The generated reference is what the code would write now, and nothing that there is to know is missing from it."""

import re
import tomllib
from pathlib import Path

import pytest

from functions.signatures import SCHEMES
from infra.docs import alerts, commands, errors, incoming, metrics, pages, settings_keys, told, workflows
from infra.docs.__main__ import main
from infra.docs.markdown import anchor, cell, code
from worker import cloudwatch
from worker.contract import names
from worker.contract.names import Queue, SearchAttribute, WorkflowType
from worker.domain.finding import FindingKind, Outcome, Repair, RepairState, Verdict
from worker.domain.order import TRANSITIONS

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (ROOT / "settings.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    return {file.name: text for file, text in pages.rendered().items()}


def test_the_committed_pages_are_what_the_code_says() -> None:
    assert pages.stale(pages.rendered()) == [], "run `make docs`"


def test_what_is_stale_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    (tmp_path / "same.md").write_text("same", "utf-8")
    (tmp_path / "old.md").write_text("old", "utf-8")
    (tmp_path / "gone.md").write_text("gone", "utf-8")
    wanted = {tmp_path / "same.md": "same", tmp_path / "old.md": "new", tmp_path / "more.md": "more"}
    assert pages.stale(wanted) == ["gone.md: is no page any more", "more.md: is not there", "old.md: is stale"]


def test_a_check_writes_nothing_and_tells_by_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    monkeypatch.setattr(pages, "PAGES", {"one.md": lambda: "one"})
    assert main(["--check"]) == 1
    assert "one.md: is not there; `make docs` writes it anew" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_page_says_first_what_writes_it(rendered: dict[str, str]) -> None:
    assert all("`make docs`" in text.partition("\n")[0] for text in rendered.values())


def test_every_setting_is_there_with_its_variable(rendered: dict[str, str]) -> None:
    page = rendered["settings.md"]
    keys = settings_keys.every()
    assert len(keys) > 100
    for key in keys:
        rest = key.path.partition(".")[2] or key.path
        assert f"| {code(rest)} | {key.kind} |" in page, key.path
        assert not key.variable or f"{code(key.variable)}" in page
    for environment, tables in tomllib.loads(SETTINGS).items():
        for table, values in tables.items():
            assert f"## [{table}]" in page, f"{environment}.{table}"
            for key in values if isinstance(values, dict) else ():
                assert re.search(rf"^\| `(?:{table}\.)?{key}\b|^\| `<name>", page, re.MULTILINE), f"{table}.{key}"


def test_no_comment_of_the_settings_is_lost(rendered: dict[str, str]) -> None:
    """Each line stands on the page, whatever became of it: a meaning, a sentence, a line of a block."""
    flat = re.sub(r"[\s\\`*]+", " ", rendered["settings.md"]).replace(" ", "")
    default = SETTINGS.partition("\n[local.")[0]
    comments = [line.lstrip("# ").strip() for line in default.splitlines() if line.startswith("#")]
    assert len(comments) > 100
    lost = []
    for line in comments:
        for part in re.split(r"; (?=[a-z_]+: )", re.sub(r"^([a-z_0-9]+): ", "", line)):
            bare = re.sub(r"[\s\\`*]+", "", re.sub(r"^([a-z_]+): ", "", part)).replace("|", "")
            if bare not in flat.replace("|", ""):
                lost.append(line)
    assert lost == []


def test_every_command_is_there_with_every_option(rendered: dict[str, str]) -> None:
    page = rendered["commands.md"]
    every = dict(commands.every())
    assert len(every) > 50
    for path, command in every.items():
        title = f"### orders {' '.join(path)}\n"
        assert page.count(title) == 1
        part = page.partition(title)[2].partition("\n#")[0]
        assert (command.help or "").split("\n")[0][:40] in part.replace("\\", "")
        missing = [
            option
            for parameter in command.params
            for option in parameter.opts
            if option.startswith("-") and f"`{option}`" not in part
        ]
        assert missing == [], path
    assert [status for status, _ in commands.exits()] == ["0", "1", "2", "3", "4", "5", "70"]


def test_every_metric_is_there_and_explains_itself(rendered: dict[str, str]) -> None:
    found = [*metrics.of_worker(), *metrics.of_functions()]
    assert len({one.name for one in found}) == len(found) > 20
    assert [one.name for one in found if not one.meaning] == []
    assert [one.name for one in found if f"| {code(one.name)} | {one.kind} |" not in rendered["metrics.md"]] == []


def test_no_metric_is_made_where_the_reference_does_not_look() -> None:
    """What any module of ours gives prometheus_client by name is on the page."""
    made = re.compile(r"\b(?:Counter|Gauge|Histogram|Summary|\w+MetricFamily)\(\s*\"(\w+)\"")
    named = {
        name
        for folder in ("functions", "worker")
        for file in (ROOT / folder).rglob("*.py")
        for name in made.findall(file.read_text("utf-8"))
    }
    known = {one.name.removesuffix("_total") for one in [*metrics.of_worker(), *metrics.of_functions()]}
    assert {name.removesuffix("_total") for name in named} - known == set()


def test_every_figure_for_cloudwatch_explains_itself(rendered: dict[str, str]) -> None:
    reported = {name for figures in metrics.of_cloudwatch() for name in figures.values}
    assert reported == set(cloudwatch.MEANING)
    assert all(f"| {code(name)} |" in rendered["metrics.md"] for name in reported)


def test_every_error_says_what_it_means_and_what_to_do(rendered: dict[str, str]) -> None:
    codes = {kind.code for kind in errors.of_worker()} | {kind.code for kind in errors.of_functions()}
    assert len(codes) > 20
    assert all(f"| {code(each)} |" in rendered["errors.md"] for each in codes)
    for kind in (*errors.of_worker(), *errors.of_functions()):
        assert errors.what_to_do(kind), f"{kind.__name__}: the second paragraph of its docstring says what to do"
        assert cell(errors.what_to_do(kind)) in rendered["errors.md"]


def test_every_workflow_is_there_with_everything_it_answers_to(rendered: dict[str, str]) -> None:
    page = rendered["workflows.md"]
    queues, patterns = workflows.queues(), workflows.patterns()
    for kind, definition in workflows.definitions().items():
        part = page.partition(f"## {kind}\n")[2].partition("\n## ")[0]
        assert queues[kind], f"{kind} runs on no queue of worker/app.py"
        assert patterns[kind], f"{kind} has no id in worker/contract/ids.py"
        for message, name, what in workflows.messages(definition):
            assert what, f"{message} {name} has no docstring"
            assert f"| {message} | {code(name)} |" in part
        assert all(code(patch) in part for patch, _ in workflows.patches(definition))


def test_every_message_of_the_contract_is_there(rendered: dict[str, str]) -> None:
    enumerations = [value for name, value in vars(names).items() if name.endswith("Message")]
    assert len(enumerations) >= 3
    for enumeration in enumerations:
        for message in enumeration:
            assert code(message.value) in rendered["workflows.md"], f"{enumeration.__name__}.{message.name}"


def test_every_patch_is_found() -> None:
    sources = [file.read_text("utf-8") for file in (ROOT / "worker" / "workflows").glob("*.py")]
    asked = sum(len(re.findall(r"\.(?:patched|deprecate_patch)\(", source)) for source in sources)
    assert len({name for each in workflows.definitions().values() for name, _ in workflows.patches(each)}) == asked


@pytest.mark.parametrize(
    "kind", [Queue, SearchAttribute, FindingKind, Outcome, Repair, RepairState, Verdict], ids=lambda kind: kind.__name__
)
def test_names_explain_themselves(kind: type) -> None:
    texts = told.texts_below(kind)
    assert [member.name for member in kind if member.name not in texts] == []  # type: ignore[attr-defined]


def test_every_type_of_workflow_is_defined() -> None:
    assert set(workflows.definitions()) == set(WorkflowType)


def test_the_orders_states_are_drawn(rendered: dict[str, str]) -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", rendered["states.md"], re.MULTILINE))
    assert {(str(state), str(later)) for state, following in TRANSITIONS.items() for later in following} <= drawn


def test_breaks_come_and_go_as_the_domain_says(rendered: dict[str, str]) -> None:
    page = rendered["states.md"].partition("## A break")[2]
    drawn = {
        (source, target): why for source, target, why in re.findall(r"^    (\w+) --> (\w+): (.+)$", page, re.MULTILINE)
    }
    assert "orders breaks reopen" in drawn["resolved", "reopened"]
    assert "orders breaks resolve" in drawn["new", "resolved"]
    assert "a run finds it again" in drawn["new", "persisting"]
    assert ("resolved", "persisting") not in drawn


def test_every_alarm_of_terraform_is_there(rendered: dict[str, str]) -> None:
    """Counted in another way than they are read: each alarm has a description, and a row has a metric."""
    text = "\n".join(file.read_text("utf-8") for file in alerts.ALARMS.glob("*.tf"))
    rows = re.findall(r"^ +namespace +=.* metric = ", text, re.MULTILINE)
    others = re.findall(r'resource "(?:aws_cloudwatch_metric_alarm|aws_cloudwatch_event_rule)" "(?!above)', text)
    found = alerts.alarms()
    assert len(found) == len({one.name for one in found}) == len(rows) + len(others) > 10
    assert all(one.description and one.figure and one.when and one.silence for one in found)
    assert all(code(one.name) in rendered["alerts.md"] for one in found)


def test_every_scheme_tells_which_headers_it_reads() -> None:
    assert incoming.headers_of(SCHEMES["stripe"]) == ["stripe-signature"]
    assert incoming.headers_of(SCHEMES["svix"]) == ["svix-id", "svix-timestamp", "svix-signature"]
    assert incoming.headers_of(SCHEMES["adyen"]) == []


def test_anchors_are_those_of_github() -> None:
    assert anchor("The worker's, for Prometheus") == "the-workers-for-prometheus"
    assert anchor("`POST /webhooks/{source}`") == "post-webhookssource"
    assert anchor("open_breaks") == "open_breaks"
