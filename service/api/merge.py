"""JSON Merge Patch (RFC 7396): null removes, an object merges, anything else replaces."""

from typing import Any

import msgspec


def merged(target: Any, patch: Any) -> Any:
    """`target` with `patch` applied; neither is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def whole(patch: dict[str, Any], current: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    """`patch` with the objects under these `names` as they are after it, by what `current` has there."""
    found = dict(patch)
    for name in names:
        if name in patch:
            before = msgspec.to_builtins(getattr(current, name))
            found[name] = {} if patch[name] is None else merged(before, patch[name])
    return found
