"""Holds spans.json of `meshsim run --spans` against opentelemetry-proto: every field is one of OTLP, every value of its type.

    python .ci/judge_spans.py SPANS_JSON

Identifiers are hexadecimal in OTLP's JSON and base 64 in protobuf's own, so they are turned into the latter first
(OpenTelemetry specification, OTLP, "JSON Protobuf Encoding"). Needs opentelemetry-proto of PyPI.
"""

import base64
import json
import sys

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key, length in IDS.items():
                    if key in span:
                        raw = bytes.fromhex(span[key])
                        assert len(raw) == length and any(raw), (key, span[key])
                        span[key] = base64.b64encode(raw).decode()
    data = ParseDict(document, TracesData())
    spans = [span for r in data.resource_spans for s in r.scope_spans for span in s.spans]
    names = {a.key for r in data.resource_spans for a in r.resource.attributes}
    assert {"service.name", "k8s.cluster.name"} <= names, names
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    assert len(by_id) == len(spans), "identifiers are unique"
    kinds = {Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER, Span.SPAN_KIND_INTERNAL}
    spent: dict[bytes, int] = {}
    for span in spans:
        assert span.kind in kinds and span.start_time_unix_nano <= span.end_time_unix_nano
        own = next(a.value.int_value for a in span.attributes if a.key == "meshsim.critical_path_ns")
        spent[span.trace_id] = spent.get(span.trace_id, 0) + own
        if span.parent_span_id:
            parent = by_id[span.trace_id, span.parent_span_id]
            assert parent.start_time_unix_nano <= span.start_time_unix_nano, span
    roots = [span for span in spans if not span.parent_span_id]
    assert len(roots) == len(spent)
    for root in roots:
        latency = root.end_time_unix_nano - root.start_time_unix_nano
        assert abs(spent[root.trace_id] - latency) <= 1_000, (spent[root.trace_id], latency)
    print(f"{len(spans)} spans of {len(roots)} requests are OTLP, and sum up to their latencies")


main()
