"""Tags of scalable targets: moto has none, answers 500, and the provider asks again for eight minutes."""

import json
from collections import defaultdict
from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Responses

_tags: dict[str, dict[str, str]] = defaultdict(dict)


def apply() -> None:
    """Keep the tags that a target is registered with, and offer the three calls about tags."""
    register = Responses.register_scalable_target

    def registered(self: Any) -> str:
        answer: str = register(self)
        _tags[json.loads(answer)["ScalableTargetARN"]].update(self._get_param("Tags") or {})
        return answer

    def listed(self: Any) -> str:
        return json.dumps({"Tags": _tags[self._get_param("ResourceARN")]})

    def added(self: Any) -> str:
        _tags[self._get_param("ResourceARN")].update(self._get_param("Tags") or {})
        return "{}"

    def removed(self: Any) -> str:
        for key in self._get_param("TagKeys") or []:
            _tags[self._get_param("ResourceARN")].pop(key, None)
        return "{}"

    Responses.register_scalable_target = registered
    Responses.list_tags_for_resource = listed
    Responses.tag_resource = added
    Responses.untag_resource = removed
