"""Search attributes of the namespace, converged to what the contract names.

Missing ones are added; nothing is ever removed or changed, because closed workflows are still found by them. A
wrong type cannot be repaired from here and is reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.contract.names import SEARCH_ATTRIBUTE_TYPES
from worker.temporal.answers import raise_for
from worker.temporal.client import RPC_TIMEOUT

_VALUE_TYPES: Mapping[str, IndexedValueType.ValueType] = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Text": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
    "Double": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}
_NAMES = {value: name for name, value in _VALUE_TYPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """What was found: names added now, and names whose type is another than declared (as `Name: has, wants`)."""

    added: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


async def converge(client: Client, declared: Mapping[str, str] | None = None) -> Convergence:
    """Add the search attributes that the client's namespace lacks.

    Idempotent and safe from several processes at once. Raises ProviderUnavailable, or ProviderRejected when this
    client may not administer the namespace (Temporal Cloud: add them there).
    """
    wanted = dict(SEARCH_ATTRIBUTE_TYPES if declared is None else declared)
    present = await _present(client)
    missing = {str(name): _VALUE_TYPES[kind] for name, kind in wanted.items() if name not in present}
    if missing:
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        try:
            await client.operator_service.add_search_attributes(request, retry=True, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:  # another process was faster
                raise_for(error, f"search attributes {', '.join(sorted(missing))}")
    return Convergence(
        added=tuple(sorted(missing)),
        wrong=tuple(
            f"{name}: has {present[name]}, wants {kind}"
            for name, kind in sorted(wanted.items())
            if name in present and present[name] != kind
        ),
    )


async def lacking(client: Client, declared: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the declared search attributes that the namespace lacks or has with another type. Changes nothing."""
    wanted = dict(SEARCH_ATTRIBUTE_TYPES if declared is None else declared)
    present = await _present(client)
    return tuple(
        f"{name}: {f'has {present[name]}, wants {kind}' if name in present else 'missing'}"
        for name, kind in sorted(wanted.items())
        if present.get(name) != kind
    )


async def _present(client: Client) -> dict[str, str]:
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        raise_for(error, "the search attributes of the namespace")
    return {name: _NAMES.get(kind, str(kind)) for name, kind in listed.custom_attributes.items()}
