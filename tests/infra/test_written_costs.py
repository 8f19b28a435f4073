"""The cost tables of the examples add up: each row's arithmetic gives its figure, the figures give their table's sum."""

import ast
import operator
import re
from decimal import Decimal

import pytest

from tests.infra.configuration import AWS

OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul}
ROW = re.compile(r"^\| (?P<item>[^|*]+) \| (?P<arithmetic>[^|]+) \| (?P<figure>\d+\.\d\d) \|$", re.MULTILINE)


def value(node: ast.expr) -> Decimal:
    """Return what an expression of numbers, + and * is."""
    if isinstance(node, ast.BinOp):
        return Decimal(OPERATORS[type(node.op)](value(node.left), value(node.right)))
    assert isinstance(node, ast.Constant), ast.dump(node)
    return Decimal(str(node.value))


def worked_out(arithmetic: str) -> Decimal:
    """Return the value of `2 x 0.5 GB x 150 000`: units are words, thousands are set apart."""
    plain = re.sub(r"(?<=\d) (?=\d{3}\b)", "", re.sub(r"\b(GB|s)\b", "", arithmetic)).replace(" x ", " * ")
    return value(ast.parse(plain.strip(), mode="eval").body)


SUM = re.compile(r"^\| \*\*sum\*\* \| \| \*\*([\d.]+)\*\* \|$", re.MULTILINE)


@pytest.mark.parametrize(("example", "tables"), [("dev", 2), ("prod", 1)])
def test_the_costs_add_up(example: str, tables: int) -> None:
    readme = (AWS / "examples" / example / "README.md").read_text("utf-8")
    *parts, rest = SUM.split(readme)
    written = list(zip(parts[::2], parts[1::2], strict=True))
    assert len(written) == tables
    assert ROW.search(rest) is None, "rows that belong to no sum"
    for table, told in written:
        rows = [(row["item"], row["arithmetic"], Decimal(row["figure"])) for row in ROW.finditer(table)]
        assert len(rows) > 9
        wrong = [
            f"{item}: {arithmetic} is {worked_out(arithmetic):.3f}, not {figure}"
            for item, arithmetic, figure in rows
            if abs(worked_out(arithmetic) - figure) > Decimal("0.006")
        ]
        assert wrong == []
        assert sum(figure for _, _, figure in rows) == Decimal(told)
