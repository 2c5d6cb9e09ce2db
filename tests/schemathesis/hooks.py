"""What schemathesis cannot know of this API."""

import json

import schemathesis

BATCH = "/api/v1/audit/workflow-executions"


@schemathesis.serializer("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
def lines(ctx, value):
    """Lines are sent as they are; what is no text at all becomes a line of JSON."""
    return value if isinstance(value, str) else json.dumps(value)


@schemathesis.hook
def map_body(ctx, body):
    """Keeps to rules about how numbers are written, of which JSON Schema knows nothing."""
    if isinstance(body, float):
        return as_the_gateway_reads_it(body)
    if isinstance(body, list):
        return [map_body(ctx, element) for element in body]
    if isinstance(body, dict):
        return {name: map_body(ctx, value) for name, value in body.items()}
    return body


def as_the_gateway_reads_it(number):
    # To JSON Schema 3.0 is an integer; to Go, and so to the gateway, only 3 is one.
    if number.is_integer() and abs(number) < 2**63:
        return int(number)
    # What has an exponent below -308 jsonb takes, but does not give back.
    return number if abs(number) > 1e-308 else 0


@schemathesis.check
def results_agree_with_the_status(ctx, response, case):
    """201 if, and only if, every event of a batch has the status 201; a valid array is never refused."""
    if case.path != BATCH or response.status_code not in (201, 207):
        return
    statuses = [result["status"] for result in response.json()["results"]]
    all_acknowledged = all(status == 201 for status in statuses)
    assert all_acknowledged == (response.status_code == 201), f"{response.status_code}: {statuses}"
    valid = case.meta is not None and case.meta.generation.mode.is_positive
    if valid and case.media_type == "application/json":
        assert all_acknowledged, f"a valid event was refused: {response.text}"
