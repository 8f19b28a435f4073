"""Variables that came packed: what starts a container hands over a parameter of AWS's whole, a JSON object of many.

SECRET_VARIABLES says which to take out of each: `{"worker": ["ORDERS_PROVIDER__API_KEY"]}` takes that one out of the
object in SECRET_VARIABLES_WORKER. Where it is not set, nothing is packed.
"""

import json
from collections.abc import MutableMapping

WANTED = "SECRET_VARIABLES"


def unpack(environ: MutableMapping[str, str]) -> list[str]:
    """Set the variables that are packed in others; return what is wrong, without any value. One that is set stays."""
    try:
        wanted = json.loads(environ.get(WANTED) or "{}")
        names = {f"{WANTED}_{kind.upper()}": list(keys) for kind, keys in wanted.items()}
    except (AttributeError, TypeError, ValueError):
        return [f"{WANTED}: is no JSON object of lists of names; infra/aws/modules/worker writes it"]
    problems: list[str] = []
    for packed, keys in names.items():
        held = _object(environ.get(packed, ""))
        if held is None:
            problems.append(
                f"{packed}: is no JSON object of texts (the secret's value, as `orders secrets put` keeps it)"
            )
            continue
        problems += [
            f"{key}: is not in the secret that {packed} holds (`orders secrets put` gives it a value)"
            for key in keys
            if key not in held and key not in environ
        ]
        for key in keys:
            if key in held:
                environ.setdefault(key, held[key])
    return problems


def _object(text: str) -> dict[str, str] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()) else None
