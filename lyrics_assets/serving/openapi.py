"""The API document, OpenAPI 3.1, made of the schemas that requests are checked against."""

from typing import Any

from pydantic.json_schema import models_json_schema

from lyrics_assets.serving import errors, schemas
from lyrics_assets.serving.errors import Problem
from lyrics_assets.serving.release import Release

_COMPONENTS = "#/components/schemas/"
_REFUSALS = (
    errors.invalid_json(),
    errors.invalid_request("neighbours", "Input should be less than or equal to 10"),
    errors.too_long("lyrics"),
    errors.no_words("lyrics"),
    errors.body_too_slow(5),
    errors.body_too_large(),
    errors.unsupported_media_type(),
    errors.unknown_genre("Samba, Pagode, MPB"),
    errors.too_many_requests(12),
    errors.internal_error(),
    errors.overloaded(),
    errors.timed_out(5),
)


def describe_api(release: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a service of this release."""
    _, definitions = models_json_schema(
        [
            (schemas.ClassifyRequest, "validation"),
            (schemas.ClassifyManyRequest, "validation"),
            (schemas.Classification, "serialization"),
            (schemas.Classifications, "serialization"),
            (schemas.Error, "serialization"),
            (Release, "serialization"),
        ],
        ref_template=_COMPONENTS + "{model}",
    )
    answer = schemas.example_answer(release)
    of_many = {name: value for name, value in answer.items() if name != "model"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lyrics Classifier",
            "summary": "Which musical genre does a Portuguese lyric sound like?",
            "description": "Nothing that is sent is kept or logged. Every refusal has the shape of `Error`.",
            "version": str(release["version"]),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "."}],
        "paths": {
            "/classify": {
                "post": _post("classify", "Classify one lyric", "ClassifyRequest", "Classification", answer),
            },
            "/classify_many": {
                "post": _post(
                    "classify_many",
                    f"Classify up to {errors.MAX_LYRICS} lyrics",
                    "ClassifyManyRequest",
                    "Classifications",
                    {"answers": [of_many], "model": release},
                ),
            },
            "/model": {
                "get": _get("describe_model", "Tell which model answers", _json("Release", release), 503),
            },
            "/docs.json": {
                "get": _get("describe_api", "Return this document", {"application/json": {"schema": {}}}, 503)
            },
            "/livez": {"get": _get("is_alive", "Answer as long as the process lives", _text())},
            "/readyz": {"get": _get("is_ready", "Answer once the model is loaded", _text(), 503)},
            "/metrics": {"get": _get("expose_metrics", "Return the figures of the service for Prometheus", _text())},
        },
        "components": {"schemas": definitions["$defs"]},
    }


def _post(name: str, summary: str, request: str, response: str, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _COMPONENTS + request}}},
        },
        "responses": {
            "200": {"description": "The answer", "content": _json(response, example)},
            **_refusals(_REFUSALS),
        },
    }


def _get(name: str, summary: str, content: dict[str, Any], *refusals: int) -> dict[str, Any]:
    told = [errors.not_ready()] if 503 in refusals else []
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "As it says", "content": content}, **_refusals(told)},
    }


def _refusals(problems: "tuple[Problem, ...] | list[Problem]") -> dict[str, Any]:
    """Return the refusals by their status, with an example of each code."""
    by_status: dict[str, list[Problem]] = {}
    for problem in problems:
        by_status.setdefault(str(problem.status), []).append(problem)
    return {
        status: {
            "description": "; ".join(problem.code for problem in of_status),
            "content": {
                "application/json": {
                    "schema": {"$ref": _COMPONENTS + "Error"},
                    "examples": {problem.code: {"value": problem.to_json()} for problem in of_status},
                }
            },
        }
        for status, of_status in by_status.items()
    }


def _json(schema: str, example: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _COMPONENTS + schema}, "example": example}}


def _text() -> dict[str, Any]:
    return {"text/plain": {"schema": {"type": "string"}}}
