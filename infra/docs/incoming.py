"""The page of webhooks that are received: how each scheme signs, and which sources the settings declare."""

import inspect
import sys
import tomllib
from collections.abc import Iterator, Mapping

from functions import event_identity, source_settings
from functions.signatures import GENERIC, SCHEMES, UNSIGNED, Clock, HmacRule, Rejection, Scheme
from functions.signatures.generic_hmac import GenericHmac
from infra.docs.markdown import cell, code, codes, first_line, prose, section, table
from infra.docs.markdown import page as whole
from infra.docs.told import ROOT, texts_below


class _Asked(Mapping[str, str]):
    """Headers that note which of them are asked for."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        self.names[name] = None
        return "t=1,v1=00"

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def page() -> str:
    """Return the page."""
    sources = tomllib.loads((ROOT / "settings.toml").read_text("utf-8"))["default"]["webhooks"]
    told = texts_below(Rejection)
    return whole(
        "Webhooks that are received",
        "`POST /webhooks/{source}`. Every source is a table of the settings, [`[webhooks.<name>]`](settings.md#webhooks); "
        "one of a known scheme takes no code. The answers: [the HTTP API](api.md#post-webhookssource).",
        prose(inspect.getdoc(sys.modules[Scheme.__module__.rpartition(".")[0]]) or ""),
        section(
            "Sources",
            table(
                ("source", "scheme", "dialect", "tolerance, s", "events that start a workflow"),
                (
                    (code(name), each["scheme"], each["dialect"], str(each["tolerance_seconds"]), codes(each["topics"]))
                    for name, each in sources.items()
                ),
            ),
        ),
        section(
            "Schemes",
            "Headers as the verifier asks for them. The id and the type are where the scheme's senders write them; "
            "`event_id_from` and `topic_from` change that.",
            table(
                ("scheme", "headers it reads", "id of the event", "type of the event"),
                (
                    (
                        code(name),
                        codes(headers_of(scheme)) or "none: it stands in the body",
                        code(scheme.event_id),
                        code(scheme.topic),
                    )
                    for name, scheme in sorted(SCHEMES.items())
                ),
            ),
            *(section(name, prose(inspect.getdoc(module) or ""), level=3) for name, module in _modules().items()),
            section(UNSIGNED, prose(texts_below(sys.modules["functions.signatures"])["UNSIGNED"]), level=3),
        ),
        section("Where an id or a type stands", prose(event_identity.__doc__ or "")),
        section(
            "Why a delivery is not believed",
            "The sender is told `signature_invalid` and no more; the reason is in the log and in "
            "[`functions_requests_total`](metrics.md#the-functions-for-prometheus).",
            table(("reason", "meaning"), ((code(str(one)), cell(told.get(one.name, ""))) for one in Rejection)),
        ),
        section(
            "Limits",
            f"A body may have {source_settings.MAX_BODY_BYTES} bytes at the very most. "
            f"{first_line(texts_below(source_settings)['MAX_BODY_BYTES'])}",
        ),
    )


def headers_of(scheme: Scheme) -> list[str]:
    """Return the names of the headers that a scheme reads, found by letting it judge a delivery."""
    asked = _Asked()
    scheme.verify(asked, b"{}", [b"key"], Clock(now=1, tolerance_seconds=1))
    return list(asked.names)


def _modules() -> dict[str, object]:
    """Return the modules of the schemes, each once, by the names of its schemes."""
    generic = GenericHmac(HmacRule(header="x-signature"))
    by_module: dict[str, list[str]] = {}
    for name, scheme in [*sorted(SCHEMES.items()), (GENERIC, generic)]:
        by_module.setdefault(type(scheme).__module__, []).append(name)
    return {", ".join(names): sys.modules[module] for module, names in by_module.items()}
