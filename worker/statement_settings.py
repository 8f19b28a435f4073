"""Settings of statement files: a part of the worker's settings (worker/config.py) that makes sense by itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFormatConfig:
    """A statement format described by settings alone; see settings.toml for what each key means."""

    provider: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    currency: str = ""
    unit: str = "major"
    decimal: str = "."
    grouped: bool = False
    date: str = "iso"
    zone: str = "UTC"
    outgoing: tuple[str, ...] = ()
    fee_negative: bool = False
    items: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementsConfig:
    """Statement files: where they are dropped, what becomes of a damaged one, formats of your own."""

    drop: str
    on_reject: str
    formats: dict[str, StatementFormatConfig]


def problems_of(config: StatementsConfig) -> list[str]:
    """Return what is wrong with them; empty when they are sound."""
    return [f"statements.on_reject: is {said!r}; use row or file" for said in {config.on_reject} - {"row", "file"}]
