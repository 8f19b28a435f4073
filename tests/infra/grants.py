"""What every role may do and who may take it on, read from the account, in the form of the reviewed table.

    iam_table.md    | role | actions | resources | condition | why |

A row is a statement. What AWS draws at random stands as `?`. The last column is the reviewer's.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.infra.fake import FakeAws

TABLE = Path(__file__).with_name("iam_table.md")
_DRAWN = (
    (re.compile(r"(:secret:[\w/!.-]+?)-\w{6}(?=$|[:\"*,])"), r"\1-?"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "?"),
    (re.compile(r"\b(cluster|db)-[A-Z0-9]{20,}\b"), r"\1-?"),
    (re.compile(r"(arn:aws:execute-api:[\w-]+:\d+:)\w{8,}"), r"\1?"),
)


@dataclass(frozen=True, order=True)
class Grant:
    """One statement of one role."""

    role: str
    actions: str
    resources: str
    condition: str

    def row(self, why: str) -> str:
        """Return the statement as a row of the table."""
        return f"| {self.role} | {self.actions} | {self.resources} | {self.condition} | {why} |"


def granted(fake: FakeAws) -> list[Grant]:
    """Return every statement of every role of the account."""
    iam = fake.client("iam")
    found = []
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        found += [_trust(name, each) for each in _statements(role["AssumeRolePolicyDocument"])]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            found += [_grant(name, each) for each in _statements(document)]
        for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            arn = attached["PolicyArn"]
            if arn.startswith("arn:aws:iam::aws:"):
                found.append(Grant(name, f"(policy {arn})", "(as AWS decides)", ""))
                continue
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            found += [_grant(name, each) for each in _statements(document)]
    return sorted(set(found))


def reviewed() -> dict[Grant, str]:
    """Return the table: every statement with its reason."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        for line in TABLE.read_text("utf-8").splitlines()
        if line.startswith("| ") and not line.startswith(("| role ", "| ---"))
    ]
    return {Grant(*row[:4]): row[4] if len(row) > 4 else "" for row in rows}


def _statements(document: Any) -> Iterator[dict[str, Any]]:
    content = json.loads(unquote(document)) if isinstance(document, str) else document
    statements = content["Statement"]
    yield from statements if isinstance(statements, list) else [statements]


def _trust(role: str, statement: dict[str, Any]) -> Grant:
    principal = statement["Principal"]
    who = (
        principal if isinstance(principal, str) else ", ".join(f"{kind} {_joined(v)}" for kind, v in principal.items())
    )
    return Grant(role, _joined(statement["Action"]), f"(taken on by) {_clean(who)}", _condition(statement))


def _grant(role: str, statement: dict[str, Any]) -> Grant:
    refused = "" if statement["Effect"] == "Allow" else "DENY "
    actions = statement.get("Action") or [f"all but {_joined(statement['NotAction'])}"]
    resources = statement.get("Resource") or [f"all but {_joined(statement['NotResource'])}"]
    return Grant(role, refused + _joined(actions), _clean(_joined(resources)), _condition(statement))


def _condition(statement: dict[str, Any]) -> str:
    stated = statement.get("Condition")
    return _clean(json.dumps(stated, sort_keys=True)) if stated else ""


def _joined(value: Any) -> str:
    return ", ".join(sorted(value)) if isinstance(value, list) else str(value)


def _clean(text: str) -> str:
    for pattern, replacement in _DRAWN:
        text = pattern.sub(replacement, text)
    return text.replace("|", "\\|")
