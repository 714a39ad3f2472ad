"""Spans of OpenTelemetry to a collector: requests with route and status, and inside the stages of an answer. Nothing that was asked."""

from __future__ import annotations

from typing import Any

from selfstudy.core.plugs import extra


def send_to(address: str) -> Any:
    """Send the spans of this process to the collector at `address` (OTLP over HTTP), in batches, behind the requests' backs.

    Returns the provider, whose `shutdown` sends what is left. Raises MissingExtra.
    """
    sdk, export = extra("opentelemetry.sdk.trace", "spans"), extra("opentelemetry.sdk.trace.export", "spans")
    resources, otlp = extra("opentelemetry.sdk.resources", "spans"), extra("opentelemetry.exporter.otlp.proto.http.trace_exporter", "spans")
    from opentelemetry import trace

    provider = sdk.TracerProvider(resource=resources.Resource.create({"service.name": "selfstudy"}))
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=address)))
    trace.set_tracer_provider(provider)
    return provider
