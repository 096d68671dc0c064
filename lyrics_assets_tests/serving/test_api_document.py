"""The API document is true: its examples hold, and generated requests, right and wrong, get what it promises."""

import pytest
from hypothesis import HealthCheck, settings

from lyrics_assets.serving import schemas
from lyrics_assets.serving.openapi import describe_api
from lyrics_assets.serving.release import Release
from lyrics_assets_tests.serving.parts import RELEASE, api, client

schemathesis = pytest.importorskip("schemathesis")
from schemathesis.checks import positive_data_acceptance  # noqa: E402  it may be missing

DOCUMENT = describe_api(RELEASE.model_dump(mode="json"))
SAYS_NOTHING = {"no_words", "unknown_genre"}
"""What a schema cannot tell of a lyric: whether it holds a word, and which genres a model knows."""

schema = schemathesis.openapi.from_asgi("/docs.json", api())


@schema.parametrize()
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_generated_requests_get_what_the_document_promises(case):
    response = case.call_and_validate(excluded_checks=[positive_data_acceptance])
    if case.meta and case.meta.generation.mode.value == "positive" and response.status_code != 200:
        assert response.json()["error"]["code"] in SAYS_NOTHING


def test_every_example_is_of_its_schema():
    seen = 0
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            for answer in operation["responses"].values():
                content = answer["content"].get("application/json", {})
                examples = [one["value"] for one in content.get("examples", {}).values()]
                for example in [*examples, *([content["example"]] if "example" in content else [])]:
                    name = content["schema"]["$ref"].rsplit("/", 1)[-1]
                    (Release if name == "Release" else getattr(schemas, name)).model_validate(example)
                    seen += 1
    assert seen > 20
    asked = client()
    for path, model in (("/classify", "ClassifyRequest"), ("/classify_many", "ClassifyManyRequest")):
        for example in DOCUMENT["components"]["schemas"][model]["examples"]:
            assert asked.post(path, json=example).status_code == 200
