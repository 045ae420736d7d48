"""RFC 8785: JSON with its members sorted, no white space, and numbers as ECMAScript writes them."""

from __future__ import annotations

import json
import re
from typing import Any, Dict

DEPTH_MAX = 32


def parse_record(raw: bytes) -> Any:
    """A record as the log has it: of a member that is there twice the last counts. None where it is no JSON, or very deep."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_int=float, parse_constant=_never)
    except (ValueError, RecursionError):
        return None
    return None if _is_deep(value) else value


def _never(constant: str) -> None:
    raise ValueError("%s is not JSON" % constant)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        inner = []
        for one in level:
            inner += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
        level = inner
    return bool(level)


def canonical(value: Any) -> str:
    """Raises ValueError for a number beyond any double."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{%s}" % ",".join("%s:%s" % (_text(name), canonical(value[name])) for name in names)
    if isinstance(value, list):
        return "[%s]" % ",".join(canonical(one) for one in value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value)


def _text(value: str) -> str:
    said = json.dumps(value, ensure_ascii=False)
    return re.sub("[\ud800-\udfff]", lambda found: "\\u%04x" % ord(found.group()), said)


def _number(value: float) -> str:
    """Number::toString of ECMAScript: the shortest digits are Python's as well, the exponent is written otherwise."""
    if value == 0:
        return "0"
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("not a number of JSON")
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return "%s%s%se%s%d" % (sign, digits[0], rest, "+" if point > 0 else "-", abs(point - 1))


def content(kind: str, data: Dict[str, Any]) -> Any:
    """What the digest of a verdict or of a slice of health is over."""
    if kind == "custos.health.recorded.v1":
        named = (("scope", "scope"), ("rows", "endpoints"))
        return {name: data[member] for name, member in named if member in data}
    return {name: value for name, value in data.items() if name != "digest"}
