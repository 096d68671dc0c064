"""The server's own search: settings drawn from a sweep's parameters at random, or all of a grid."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

_DRAWS = {
    "uniform": lambda draw, spec: draw.uniform(spec["min"], spec["max"]),
    "int_uniform": lambda draw, spec: draw.randint(spec["min"], spec["max"]),
    "q_uniform": lambda draw, spec: round(draw.uniform(spec["min"], spec["max"]) / spec["q"]) * spec["q"],
    "log_uniform_values": lambda draw, spec: math.exp(draw.uniform(math.log(spec["min"]), math.log(spec["max"]))),
}


def draw_settings(config: Mapping[str, Any], draw: random.Random) -> Iterator[dict[str, Any]]:
    """Return the settings of a sweep, one after another; without an end unless it is a grid.

    Raises:
        ValueError: the method or a parameter is not one that this server draws.
    """
    parameters = config["parameters"]
    if config["method"] not in ("random", "bayes", "grid"):
        raise ValueError(f"method {config['method']}")
    for name, spec in parameters.items():
        if not {"value", "values"} & set(spec) and spec.get("distribution") not in _DRAWS:
            raise ValueError(f"parameter {name}: {spec}")
    if config["method"] == "grid":
        choices = [spec.get("values", [spec.get("value")]) for spec in parameters.values()]
        return (dict(zip(parameters, values, strict=True)) for values in itertools.product(*choices))
    return ({name: _draw(draw, spec) for name, spec in parameters.items()} for _ in itertools.repeat(None))


def _draw(draw: random.Random, spec: Mapping[str, Any]) -> Any:
    if "value" in spec:
        return spec["value"]
    if "values" in spec:
        return draw.choice(spec["values"])
    return _DRAWS[spec["distribution"]](draw, spec)
