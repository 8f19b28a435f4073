"""What a reviewer asks of every module: described, documented, complete, nothing secret, no wildcard without a word."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.infra.configuration import AWS, PROJECT, Block, blocks, folders

MODULES = {
    *("network", "database", "storage", "worker", "observability"),
    *("gateway", "function", "secrets", "registry", "deploy_role", "waker"),
}
FOLDERS = folders()
HOUSE_FILES = ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md")
ROOTS = {AWS / "bootstrap", AWS / "examples" / "dev", AWS / "examples" / "prod"}
READS_A_SECRET = {"aws_secretsmanager_secret_version", "aws_ssm_parameter", "random_password", "random_id"}

every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(AWS)))


def of_kind(folder: Path, kind: str) -> list[Block]:
    return [block for block in blocks(folder) if block.kind == kind]


def texts(folder: Path) -> str:
    return "\n".join(file.read_text("utf-8") for file in sorted(folder.glob("*.tf")))


def test_the_modules_are_those_of_the_design() -> None:
    assert {folder.name for folder in (AWS / "modules").iterdir() if folder.is_dir()} == MODULES
    assert {AWS, *ROOTS} <= set(FOLDERS)


@every_folder
def test_a_folder_has_the_house_files_and_nothing_else(folder: Path) -> None:
    missing = [name for name in HOUSE_FILES if not (folder / name).is_file()]
    assert missing == []
    misplaced = [
        str(block)
        for block in blocks(folder)
        if (block.kind == "variable") != (block.file.name == "variables.tf")
        or (block.kind == "output") != (block.file.name == "outputs.tf")
    ]
    assert misplaced == []


@every_folder
def test_every_variable_says_what_it_is(folder: Path) -> None:
    variables = of_kind(folder, "variable")
    assert [str(each) for each in variables if len(each.attributes.get("description", "")) < 12] == []
    assert [str(each) for each in variables if not each.attributes.get("type")] == []
    unclear = [
        str(each)
        for each in variables
        if each.attributes.get("default") != "null" and each.attributes.get("nullable") != "false"
    ]
    assert unclear == [], "a variable whose default is not null is not nullable"


@every_folder
def test_every_output_says_what_it_is(folder: Path) -> None:
    assert [str(each) for each in of_kind(folder, "output") if len(each.attributes.get("description", "")) < 12] == []


@every_folder
def test_the_readme_names_every_variable_and_output_and_no_other(folder: Path) -> None:
    declared = {each.name for each in (*of_kind(folder, "variable"), *of_kind(folder, "output"))}
    readme = (folder / "README.md").read_text("utf-8")
    assert {name for name in declared if f"`{name}`" not in readme} == set()
    tabled = set(re.findall(r"^\|\s*`([a-z_0-9]+)`", readme, re.MULTILINE))
    assert tabled - declared == set(), "rows of a table for what is not there"


@every_folder
def test_nothing_is_declared_in_vain(folder: Path) -> None:
    text = texts(folder)
    unused = [each.name for each in of_kind(folder, "variable") if not re.search(rf"\bvar\.{each.name}\b", text)]
    assert unused == []


@every_folder
def test_versions_are_bounded_and_only_roots_configure_a_provider(folder: Path) -> None:
    text = (folder / "versions.tf").read_text("utf-8")
    assert re.search(r'required_version\s*=\s*">= 1\.(9|1\d)', text)
    assert re.search(r'version\s*=\s*"~> 5\.100', text)
    providers = of_kind(folder, "provider")
    assert bool(providers) == (folder in ROOTS), [str(each) for each in providers]


@every_folder
def test_a_configuration_that_is_no_example_has_tests(folder: Path) -> None:
    if folder.parent == AWS / "examples":
        pytest.skip("an example is tested by being planned and applied")
    assert sorted((folder / "tests").glob("*.tftest.hcl")), "no tests/*.tftest.hcl"


@every_folder
def test_every_rule_of_a_variable_has_a_test_that_breaks_it(folder: Path) -> None:
    tests = "\n".join(file.read_text("utf-8") for file in sorted((folder / "tests").glob("*.tftest.hcl")))
    refused = Counter(
        name
        for failures in re.findall(r"expect_failures\s*=\s*\[([^\]]*)\]", tests)
        for name in re.findall(r"\bvar\.(\w+)", failures)
    )
    rules = {
        each.name: len(re.findall(r"^  validation \{", each.body, re.MULTILINE)) for each in of_kind(folder, "variable")
    }
    assert {name: count for name, count in rules.items() if count > refused[name]} == {}


def is_empty_parameter(block: Block) -> bool:
    """Tell whether it makes a parameter that holds nothing yet, by a value that no state keeps."""
    told = {name: text for name, text in block.attributes.items() if "value" in name}
    made = (block.kind, block.labels[0]) == ("resource", "aws_ssm_parameter")
    return made and told == {"value_wo": '"{}"', "value_wo_version": "1"}


@every_folder
def test_no_value_of_a_secret_passes_through_terraform(folder: Path) -> None:
    found = [
        str(each)
        for each in blocks(folder)
        if each.kind == "ephemeral"
        or (each.kind in {"resource", "data"} and each.labels[0] in READS_A_SECRET and not is_empty_parameter(each))
    ]
    assert found == []
    assert not re.search(r"\bsecret_string(_wo)?\s*=", texts(folder))


@every_folder
def test_a_wildcard_resource_has_its_reason_beside_it(folder: Path) -> None:
    unexplained = []
    for file in sorted(folder.glob("*.tf")):
        lines = file.read_text("utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            wild = re.search(r'\b[Rr]esources?\s*=\s*(\[\s*)?"\*"', line) or re.search(
                r'\bActions?\s*=.*"[\w:]*\*"', line
            )
            around = "\n".join(lines[max(0, number - 8) : number])
            if wild and "#" not in around:
                unexplained.append(f"{file.relative_to(PROJECT)}:{number} {line.strip()}")
    assert unexplained == []


@every_folder
def test_policies_are_real_json(folder: Path) -> None:
    """jsonencode, so that tests with a mocked provider and reviewers read what is granted."""
    drawn = [str(each) for each in of_kind(folder, "data") if each.labels[0] == "aws_iam_policy_document"]
    assert drawn == []


def test_every_skipped_finding_has_a_reason() -> None:
    found = Counter[str]()
    for file in AWS.rglob("*.tf"):
        for match in re.finditer(r"checkov:skip=([A-Z0-9_]+):?(.*)", file.read_text("utf-8")):
            assert len(match[2].strip()) > 20, f"{file.relative_to(PROJECT)}: {match[0]}"
            found[match[1]] += 1
    lines = (AWS / ".checkov.yaml").read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\s*-\s*\"?CKV", line):
            assert "#" in line or lines[number - 1].lstrip().startswith("#"), (
                f".checkov.yaml: {line.strip()} says not why"
            )
    assert all("*" not in skipped for skipped in found)
