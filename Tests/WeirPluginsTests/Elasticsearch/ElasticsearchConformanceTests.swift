import Glibc
import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirPlugins
import WeirTesting

@Suite("Requests to Elasticsearch, held against Fluentd's", .enabled(if: SharedCases.arePresent))
struct ElasticsearchConformanceTests {
    /// Where Weir means to differ, and why.
    static let differences: [String: String] = [
        "es-0054": "create without an id is sent without one; Fluentd drops the event silently",
        "es-0055": "an event without `id_key` is created under an id of Elasticsearch's own",
        "es-0093": "chunks need no tag: each action names its index",
        "es-0064": "there is no operation `delete` of events; Fluentd drops them silently",
        "es-0040": "an existing `@timestamp` is read as the date it is, not by `time_key_format`",
        "es-0056": updated, "es-0057": updated, "es-0058": updated, "es-0059": updated,
        "es-0060": updated,
        "es-0062": updated,
        "es-0076": "the user's name and password are sent as they are, not escaped for a URL",
        "es-0206": dataStream, "es-0207": dataStream, "es-0208": dataStream,
    ]
    private static let updated =
        "an update without an id goes to @ERROR and is counted; Fluentd drops it silently"
    private static let dataStream =
        "what is written for a data stream is done; Fluentd leaves it out without a word"

    @Test func `carry the same documents to the same places`() throws {
        var report = ConformanceReport(differences: Self.differences)
        for test in SharedCases.records("conformance/fluentd/elasticsearch/requests.jsonl") {
            // The zone belongs to the whole process: cases of another one are not for this run.
            if test["tz"] != nil { continue }
            report.note(test["id"]?.string ?? "", problem: try problem(test))
        }
        #expect(report.unexpected.isEmpty, "\(report.unexpected.joined(separator: "\n"))")
        #expect(report.stale.isEmpty)
    }

    private func problem(_ test: Record) throws -> String? {
        let standIn = try ElasticsearchStandIn()
        defer { standIn.stop() }
        let folder = try ScratchFolder()
        for (name, text) in test["files"]?.object?.fields ?? [] {
            folder.write(text.string ?? "", to: name)
        }
        let text = (test["conf"]?.string ?? "").replacing("PORT", with: "\(standIn.port)")
            .replacing("DIR", with: folder.path)
        let (section, diagnostics) = ComponentSection.read(text, as: .output)
        let isRefused = test["config_error"] != nil
        guard let section else {
            return isRefused ? nil : "refused: \(diagnostics.map(\.message))\n\(text)"
        }
        let refused = CollectedEvents()
        let output: any Output
        do throws(SectionError) {
            output = try PluginCatalog.output(
                section, name: "es", context: .forTests(refusals: refused))
        } catch {
            return isRefused ? nil : "refused: \(error.diagnostic.message)\n\(text)"
        }
        if isRefused { return "accepted\n\(text)" }
        try output.start()
        for event in (test["events"]?.array ?? []).compactMap(\.object) {
            guard let batch = BatchOfRecords.make([event]) else { return "no batch" }
            let ticket = DeliveryTicket(readAt: 0) {}
            output.write(batch, ticket: ticket)
            ticket.release()
        }
        guard output.stop(deadline: .max) else { return "not delivered" }
        return difference(test, standIn, refused).map { "\($0)\n\(text)" }
    }

    private func difference(
        _ test: Record, _ standIn: ElasticsearchStandIn, _ refused: CollectedEvents
    ) -> String? {
        if let violation = standIn.violations.first { return violation }
        var found: [Value] = []
        var preparations: [Value] = []
        for request in standIn.requests where request.method != "GET" {
            add(
                request.method, request.path, request.headers, request.body, to: &found,
                &preparations)
        }
        var wanted: [Value] = []
        var wantedPreparations: [Value] = []
        for request in (test["requests"]?.array ?? []).compactMap(\.object) {
            guard let method = request["method"]?.string, method != "GET", method != "HEAD" else {
                continue
            }
            let headers = (request["headers"]?.object?.fields ?? []).map {
                (name: $0.key, value: $0.value.string ?? "")
            }
            let body: String
            if case .object? = request["body"] {
                body = request["body"].map(ConformanceCases.value)?.string ?? ""
            } else {
                body = request["body"]?.string ?? ""
            }
            add(
                method, request["path"]?.string ?? "", headers, body, to: &wanted,
                &wantedPreparations)
        }
        if let missing = wanted.first(where: { !found.contains($0) }) {
            return
                "missing \(JSONValueWriter.text(missing))\n in \(found.map { JSONValueWriter.text($0) })"
        }
        if found.count != wanted.count { return "\(found.count) items for \(wanted.count)" }
        for preparation in wantedPreparations where !preparations.contains(preparation) {
            return "missing \(JSONValueWriter.text(preparation)) in \(preparations)"
        }
        if Self.differences[test["id"]?.string ?? ""] == Self.updated, refused.all.isEmpty {
            return nil
        }
        let errors = (test["at_error"]?.array ?? []).count
        return errors == refused.all.count ? nil : "\(refused.all.count) refused for \(errors)"
    }

    /// Takes a request apart: each document with its path, headers and action; anything else whole.
    private func add(
        _ method: String, _ path: String, _ headers: [(name: String, value: String)],
        _ body: String, to items: inout [Value], _ preparations: inout [Value]
    ) {
        let kept = Record(
            headers.filter { header in
                !["accept", "host", "user-agent", "content-length", "connection", "expect"]
                    .contains(header.name) && !header.name.hasPrefix("accept-")
            }.map { (key: $0.name, value: .string($0.value)) })
        guard path.hasSuffix("_bulk") else {
            preparations.append(
                .object([
                    "method": .string(method), "path": .string(path),
                    "body": JSONValueReader.value(of: body) ?? .string(body),
                ]))
            return
        }
        let lines = body.split(separator: "\n").map {
            JSONValueReader.value(of: String($0)) ?? .null
        }
        for pair in stride(from: 0, to: lines.count - 1, by: 2) {
            items.append(
                .object([
                    "path": .string(path), "headers": .object(kept), "action": lines[pair],
                    "source": lines[pair + 1],
                ]))
        }
    }
}
