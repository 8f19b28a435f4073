"""The page of alerts: alarms on AWS as Terraform declares them, rules of Prometheus, alerts of the settings."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from infra.docs.markdown import anchor, cell, code, section, table
from infra.docs.markdown import page as whole
from infra.docs.prometheus_rules import rules
from infra.docs.told import ROOT, texts_below
from worker.domain.alert import AlertTrigger

ALARMS = ROOT / "infra" / "aws" / "modules" / "observability"

_ROW = re.compile(
    r'^ *(?:[\w]+ = \{ for .*? : "(?P<each>[^"]+)" => |(?P<name>[a-z][\w-]*) = )\{\n'
    r" +description = (?P<description>[^\n]+)\n"
    r"(?P<body>.*?)^ *\}",
    re.MULTILINE | re.DOTALL,
)
_RESOURCE = re.compile(
    r'resource "aws_cloudwatch_metric_alarm" "(?!above)\w+" \{\n(?P<body>.*?)^\}', re.MULTILINE | re.DOTALL
)
_RULE = re.compile(r'resource "aws_cloudwatch_event_rule" "\w+" \{\n(?P<body>.*?)^\}', re.MULTILINE | re.DOTALL)
_SILENCE = {"notBreaching": "all is well", "breaching": "it is broken", "missing": "nothing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm; its name stands behind `<name>-<environment>-` and may hold `{...}` for one of several."""

    name: str
    description: str
    figure: str
    when: str
    silence: str

    @property
    def heading(self) -> str:
        """Its title in the runbook."""
        return self.name


def page() -> str:
    """Return the page."""
    declared = tomllib.loads((ROOT / "settings.toml").read_text("utf-8"))["default"]["alerts"]
    triggers = {str(one): texts_below(AlertTrigger).get(one.name, "") for one in AlertTrigger}
    return whole(
        "Alerts",
        "Three kinds, for three readers: alarms on AWS wake who is on call; rules of Prometheus do the same where "
        "Prometheus watches; alerts of the settings tell the people of the business what a run found. What to do about "
        "each: [the runbook](../runbook.md).",
        section(
            "Alarms on AWS",
            "`infra/aws/modules/observability/alarms.tf`. Each name stands behind `<name>-<environment>-`.",
            table(
                ("alarm", "meaning", "figure", "when", "silence means"),
                (
                    (
                        f"[{code(one.name)}](../runbook.md#{anchor(one.heading)})",
                        cell(one.description),
                        code(one.figure),
                        cell(one.when),
                        one.silence,
                    )
                    for one in alarms()
                ),
            ),
        ),
        _of_prometheus(),
        section(
            "Alerts of the settings",
            "One for a rule, shop and provider, however many breaks: [`[alerts.<name>]`](settings.md#alerts). "
            "`orders alerts list` shows them.",
            table(
                ("alert", "looks at", "meaning"),
                (
                    (f"[{code(name)}](../runbook.md#{anchor(name)})", code(each["when"]), cell(triggers[each["when"]]))
                    for name, each in declared.items()
                ),
            ),
        ),
    )


def _of_prometheus() -> str:
    found = rules()
    if not found:
        return ""
    return section(
        "Rules of Prometheus",
        table(
            ("alert", "severity", "for", "meaning", "when"),
            (
                (
                    f"[{code(one.name)}]({one.entry})" if one.entry else code(one.name),
                    one.severity,
                    one.lasting,
                    cell(one.meaning),
                    code(one.expression),
                )
                for one in found
            ),
        ),
    )


def alarms() -> list[Alarm]:
    """Return every alarm of Terraform's, in the order in which they stand there."""
    text = "\n".join(file.read_text("utf-8") for file in sorted(ALARMS.glob("*.tf")))
    return [*_rows(text), *_resources(text)]


def _rows(text: str) -> Iterator[Alarm]:
    for match in _ROW.finditer(text):
        body = match["body"]
        yield Alarm(
            name=re.sub(r"\$\{(\w+)\}", r"{\1}", match["each"] or match["name"]),
            description=_words(match["description"]),
            figure=f"{_argument(body, 'namespace')} {_argument(body, 'metric')}",
            when=f"{_argument(body, 'stat')} of {_span(_argument(body, 'period'))} above {_argument(body, 'above')}, "
            f"{_argument(body, 'periods')} times",
            silence=_SILENCE.get(_words(_argument(body, "silence")), ""),
        )


def _resources(text: str) -> Iterator[Alarm]:
    for match in _RESOURCE.finditer(text):
        body = match["body"]
        below = "below" if "LessThan" in _argument(body, "comparison_operator") else "above"
        yield Alarm(
            name=_named(_argument(body, "alarm_name")),
            description=_words(_argument(body, "alarm_description")),
            figure=f"{_argument(body, 'namespace')} {_argument(body, 'metric_name')}",
            when=f"{_argument(body, 'statistic')} of {_span(_argument(body, 'period'))} {below} "
            f"{_argument(body, 'threshold')}, {_argument(body, 'evaluation_periods')} times",
            silence=_SILENCE.get(_argument(body, "treat_missing_data"), ""),
        )
    for match in _RULE.finditer(text):
        yield Alarm(
            name=_named(_argument(match["body"], "name")),
            description=_argument(match["body"], "description"),
            figure="an event of ECS",
            when="at once",
            silence="all is well",
        )


def _argument(body: str, name: str) -> str:
    match = re.search(rf'\b{name} *= *(?:"([^\n]*?)"(?= *(?:,|$))|([^,\n]+))', body, re.MULTILINE)
    return (match[1] or match[2] or "").strip() if match else ""


def _named(name: str) -> str:
    return re.sub(r"\$\{each\.key\}", "{service}", name.replace("${var.prefix}-", ""))


def _words(description: str) -> str:
    """Return a description's text; of two that a condition chooses between, the one for what is usual."""
    description = re.sub(r'\$\{coalesce\(.*?"([^"]*)"\)\}', r"\1", description)
    description = (re.findall(r'"([^"]+)"', description) or [description])[-1]
    return re.sub(r"\$\{(?:var\.|each\.value\.)?([\w.]+)\}", r"{\1}", description)


def _span(period: str) -> str:
    minutes = re.fullmatch(r"(?:(\d+) \* )?local\.minute", period)
    return f"{minutes[1] or 1} min" if minutes else period
