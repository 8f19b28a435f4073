"""What the gateway deploys is what the functions serve and what is described: one table, three readers."""

import json
import re

from tests.infra.configuration import AWS, PROJECT, blocks

ROUTES = json.loads((PROJECT / "functions" / "routes.json").read_text("utf-8"))
METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}


def test_the_gateway_is_given_the_route_table_itself() -> None:
    named = [
        (file.parent / match).resolve()
        for file in AWS.glob("*.tf")
        for match in re.findall(r'\$\{path\.module\}/([^"]*routes\.json)', file.read_text("utf-8"))
    ]
    assert named == [PROJECT / "functions" / "routes.json"]


def test_every_function_of_the_table_is_served_by_exactly_one_lambda() -> None:
    (functions,) = (each for each in blocks(AWS) if each.kind == "variable" and each.name == "functions")
    served = [
        name
        for group in re.findall(r"serves\s*=\s*\[([^\]]*)\]", functions.attributes["default"])
        for name in re.findall(r'"(\w+)"', group)
    ]
    assert sorted(served) == sorted({route["function"] for route in ROUTES})


def test_the_description_has_the_same_routes() -> None:
    described = json.loads((PROJECT / "functions" / "openapi.json").read_text("utf-8"))
    operations = {
        (method.upper(), path) for path, item in described["paths"].items() for method in item if method in METHODS
    }
    assert operations == {(route["method"], route["path"]) for route in ROUTES}


def test_only_operators_start_reconciliations() -> None:
    operated = {(route["method"], route["path"]) for route in ROUTES if route.get("operator")}
    assert operated == {("POST", "/reconciliations")}
