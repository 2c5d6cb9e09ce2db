"""What schemathesis cannot know of this API."""

import json

import schemathesis

BATCH = "/api/v1/audit/workflow-executions"


@schemathesis.serializer("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
def lines(ctx, value):
    """Lines are sent as they are; what is no text at all becomes a line of JSON."""
    return value if isinstance(value, str) else json.dumps(value)


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
