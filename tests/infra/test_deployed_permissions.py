"""Every role may do what was reviewed: the grants in the account are the rows of iam_table.md, each with its reason."""

import pytest

from tests.infra.deployment import Deployment
from tests.infra.grants import Grant, granted, reviewed

pytestmark = pytest.mark.infra


def test_the_roles_have_the_grants_that_were_reviewed(deployment: Deployment) -> None:
    actual, table = set(granted(deployment.fake)), reviewed()
    new = "\n".join(grant.row("") for grant in sorted(actual - table.keys()))
    gone = "\n".join(grant.row("") for grant in sorted(table.keys() - actual))
    assert not new, f"not in the table:\n{new}"
    assert not gone, f"in the table, and granted no more:\n{gone}"


def test_every_row_says_why() -> None:
    silent = [grant.row("") for grant, why in reviewed().items() if len(why) < 15]
    assert silent == []


def test_no_role_of_a_program_has_a_wildcard_action(deployment: Deployment) -> None:
    def is_wild(grant: Grant) -> bool:
        return any(action.endswith("*") for action in grant.actions.split(", "))

    programs = [grant for grant in granted(deployment.fake) if "-github-" not in grant.role]
    assert [grant.row("") for grant in programs if is_wild(grant)] == []
