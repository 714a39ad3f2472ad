"""Requests that schemathesis makes up from the OpenAPI, valid and not, against a running service: none is answered by a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from service import Server, filled, serving

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::ResourceWarning")
NOT_ASKED = {("POST", "/adapt")}
"""Would truly study."""


@pytest.fixture(scope="module")
def server(plug: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(plug))
        with serving(tmp_path_factory.mktemp("contract") / "home") as running:
            filled(running)
            yield running


def test_no_made_up_request_is_answered_by_a_fault_of_ours(server: Server) -> None:
    check(server, 6)


@pytest.mark.slow
def test_many_made_up_requests(server: Server) -> None:
    check(server, 200)


def check(server: Server, examples: int) -> None:
    import schemathesis

    contract = schemathesis.openapi.from_dict(server.get("/openapi.json").json)
    contract.config.update(base_url=server.url)
    asked: set[tuple[str, str]] = set()
    for found in contract.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) in NOT_ASKED:
            continue
        for mode in schemathesis.GenerationMode:
            try:
                cases = operation.as_strategy(generation_mode=mode)
            except Exception:  # nothing wrong can be made up for a route without parameters
                continue

            @settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
            @given(case=cases)
            def answered(case: Any) -> None:
                reply = case.call(timeout=60)
                assert reply.status_code < 500, (case.method, case.path, reply.text)
                asked.add((case.method.upper(), operation.path))  # noqa: B023 (called within the turn)

            try:
                answered()
            except BaseException as error:
                if type(error).__name__ not in ("Unsatisfiable", "SkipTest", "Skipped"):
                    raise
    assert {("POST", "/ask"), ("POST", "/v1/chat/completions"), ("POST", "/documents"), ("POST", "/feedback")} <= asked
