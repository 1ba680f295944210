"""Sends spans with a client that others wrote, and prints what Zipkin's storage is to hold of each.

Usage: send_spans.py CLIENT PORT, where CLIENT is one of `py_zipkin-v1`, `py_zipkin-v2`,
`py_zipkin-proto`, `zipkin-json`, `zipkin-proto`, `otlp`.
What is expected is made of what the client encoded, apart from Weir's own readers.
"""
import json
import sys

ids = lambda number, digits: format(number, "0%dx" % digits)


def zipkin_document(span):
    """A span of Zipkin's JSON in the order that Zipkin's model gives it."""
    document = {}
    for key, value in span.items():
        if key in ("localEndpoint", "remoteEndpoint"):
            value = {k: v for k, v in value.items() if v}
            if "serviceName" in value:
                value["serviceName"] = value["serviceName"].lower()
        if key == "name":
            value = value.lower()
        if key == "annotations":
            value = sorted(value, key=lambda a: (a["timestamp"], a["value"]))
        if value:
            document[key] = value
    return document


def of_v1(span):
    """A span of the first model that one side alone wrote."""
    kinds = {"cs": "CLIENT", "cr": "CLIENT", "sr": "SERVER", "ss": "SERVER"}
    document = {key: span[key] for key in ("traceId", "id", "name") if key in span}
    if span.get("parentId"):
        document["parentId"] = span["parentId"]
    notes = []
    times = {}
    for note in span["annotations"]:
        document["localEndpoint"] = endpoint(note["endpoint"])
        if note["value"] in kinds:
            document["kind"] = kinds[note["value"]]
            times[note["value"]] = note["timestamp"]
        else:
            notes.append({"timestamp": note["timestamp"], "value": note["value"]})
    document["annotations"] = notes
    begin = times.get("cs", times.get("sr"))
    end = times.get("cr", times.get("ss"))
    if span.get("timestamp") and span.get("duration"):
        document["timestamp"] = span["timestamp"]
        document["duration"] = span["duration"]
    else:
        document["timestamp"] = begin
        document["duration"] = end - begin
        document["shared"] = True
    tags = {}
    for tag in span["binaryAnnotations"]:
        if tag["key"] in ("sa", "ca"):
            document["remoteEndpoint"] = endpoint(tag["endpoint"])
        else:
            tags[tag["key"]] = tag["value"]
    document["tags"] = tags
    return zipkin_document(document)


def endpoint(value):
    return {key: v for key, v in value.items() if key in ("serviceName", "ipv4", "ipv6", "port")}


def of_protobuf(message):
    """A span of `zipkin.proto3.Span`."""
    import socket

    def side(value):
        return {
            "serviceName": value.service_name,
            "ipv4": socket.inet_ntop(socket.AF_INET, value.ipv4) if value.ipv4 else None,
            "ipv6": socket.inet_ntop(socket.AF_INET6, value.ipv6) if value.ipv6 else None,
            "port": value.port,
        }

    kinds = {1: "CLIENT", 2: "SERVER", 3: "PRODUCER", 4: "CONSUMER"}
    document = {
        "traceId": message.trace_id.hex(),
        "id": message.id.hex(),
        "parentId": message.parent_id.hex() or None,
        "kind": kinds.get(message.kind),
        "name": message.name,
        "timestamp": message.timestamp,
        "duration": message.duration,
        "localEndpoint": side(message.local_endpoint),
        "remoteEndpoint": side(message.remote_endpoint),
        "annotations": [
            {"timestamp": a.timestamp, "value": a.value} for a in message.annotations
        ],
        "tags": dict(message.tags),
        "debug": message.debug,
        "shared": message.shared,
    }
    return zipkin_document(document)


def py_zipkin(encoding, port):
    from py_zipkin import Encoding, Kind
    from py_zipkin.transport import SimpleHTTPTransport
    from py_zipkin.zipkin import create_http_headers_for_new_span, zipkin_span

    expected = []

    class Transport(SimpleHTTPTransport):
        def send(self, payload):
            if encoding == Encoding.V2_PROTO3:
                from py_zipkin.encoding.protobuf import zipkin_pb2

                spans = zipkin_pb2.ListOfSpans.FromString(payload).spans
                expected.extend(of_protobuf(span) for span in spans)
            else:
                convert = of_v1 if encoding == Encoding.V1_JSON else zipkin_document
                expected.extend(convert(span) for span in json.loads(payload))
            super().send(payload)

    for number in range(20):
        with zipkin_span(
            service_name="Shop", span_name="GET /cart/%d" % number, kind=Kind.SERVER,
            transport_handler=Transport("127.0.0.1", port), sample_rate=100.0, encoding=encoding,
            port=8080, host="10.1.2.3", use_128bit_trace_id=number % 2 == 0,
            binary_annotations={"http.path": '/cart/%d?q="ä"' % number},
        ):
            create_http_headers_for_new_span()
            with zipkin_span(
                service_name="Shop", span_name="Query", kind=Kind.CLIENT,
                annotations={"retry": 1795467479.25},
            ) as inner:
                inner.add_sa_binary_annotation(5432, "Database", "10.9.8.7")
                inner.update_binary_annotations({"sql": "select\n1"})
    return expected


def opentelemetry(kind, port):
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import SpanKind, Status, StatusCode

    expected = []
    if kind == "otlp":
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        class Exporter(OTLPSpanExporter):
            def export(self, spans):
                expected.extend(of_opentelemetry(span) for span in spans)
                return super().export(spans)

        exporter = Exporter(
            endpoint="http://127.0.0.1:%d/v1/traces" % port, compression=Compression.Gzip)
    else:
        url = "http://127.0.0.1:%d/api/v2/spans" % port
        if kind == "zipkin-json":
            from opentelemetry.exporter.zipkin.json import ZipkinExporter
        else:
            from opentelemetry.exporter.zipkin.proto.http import ZipkinExporter

        class Exporter(ZipkinExporter):
            def export(self, spans):
                # The exporter learns its own service from the first spans that it sends.
                result = super().export(spans)
                body = self.encoder.serialize(spans, self.local_node)
                if kind == "zipkin-json":
                    expected.extend(zipkin_document(span) for span in json.loads(body))
                else:
                    from opentelemetry.exporter.zipkin.proto.http.v2.gen import zipkin_pb2

                    listed = zipkin_pb2.ListOfSpans.FromString(body).spans
                    expected.extend(of_protobuf(span) for span in listed)
                return result

        exporter = Exporter(endpoint=url)
    provider = TracerProvider(resource=Resource.create({"service.name": "Go-Service"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop", "1.2")
    for number in range(20):
        with tracer.start_as_current_span("GET /Items", kind=SpanKind.SERVER) as outer:
            outer.set_attribute("http.status_code", 200 + number)
            outer.set_attribute("ratio", 0.5)
            outer.set_attribute("list", ["a", "b"])
            with tracer.start_as_current_span("Publish", kind=SpanKind.PRODUCER) as inner:
                inner.set_attribute("peer.service", "Queue")
                inner.add_event("sent", {"bytes": 12})
                inner.add_event("done")
                if number % 5 == 0:
                    inner.set_status(Status(StatusCode.ERROR, "broken"))
    provider.shutdown()
    return expected


def of_opentelemetry(span):
    """What OpenTelemetry's specification makes of a span for Zipkin."""
    context = span.context

    def text(value):
        if isinstance(value, str):
            return value
        if isinstance(value, (list, tuple)):
            value = list(value)
        return json.dumps(value, separators=(",", ":"))

    tags = {k: text(v) for k, v in span.resource.attributes.items() if k != "service.name"}
    tags["otel.scope.name"] = span.instrumentation_scope.name
    tags["otel.scope.version"] = span.instrumentation_scope.version
    tags.update({k: text(v) for k, v in span.attributes.items()})
    if span.status.status_code.name == "ERROR":
        tags["otel.status_code"] = "ERROR"
        tags["error"] = span.status.description
    notes = []
    for event in span.events:
        value = event.name
        if event.attributes:
            value = json.dumps({event.name: dict(event.attributes)}, separators=(",", ":"))
        notes.append({"timestamp": event.timestamp // 1000, "value": value})
    document = {
        "traceId": ids(context.trace_id, 32),
        "id": ids(context.span_id, 16),
        "parentId": ids(span.parent.span_id, 16) if span.parent else None,
        "kind": span.kind.name,
        "name": span.name,
        "timestamp": span.start_time // 1000,
        "duration": (span.end_time - span.start_time) // 1000,
        "localEndpoint": {"serviceName": span.resource.attributes["service.name"]},
        "annotations": notes,
        "tags": tags,
    }
    if "peer.service" in span.attributes:
        document["remoteEndpoint"] = {"serviceName": span.attributes["peer.service"].lower()}
    return zipkin_document(document)


def main():
    client, port = sys.argv[1], int(sys.argv[2])
    if client.startswith("py_zipkin"):
        from py_zipkin import Encoding

        encodings = {
            "py_zipkin-v1": Encoding.V1_JSON,
            "py_zipkin-v2": Encoding.V2_JSON,
            "py_zipkin-proto": Encoding.V2_PROTO3,
        }
        expected = py_zipkin(encodings[client], port)
    else:
        expected = opentelemetry(client, port)
    for document in expected:
        print(json.dumps(document))


main()
