import Synchronization
import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirPlugins
import WeirTesting

@Suite("Filters, held against what Fluentd's do", .enabled(if: SharedCases.arePresent))
struct FilterConformanceTests {
    @Test("agree, case by case", arguments: ["record_transformer", "grep", "parser"])
    func cases(_ name: String) {
        var report = ConformanceReport(differences: FilterDifferences.table)
        for test in SharedCases.records("conformance/fluentd/filters/\(name).jsonl") {
            report.note(test["id"]?.string ?? "", problem: problem(test))
        }
        #expect(report.unexpected.isEmpty, "\(report.unexpected.joined(separator: "\n"))")
        #expect(report.stale.isEmpty)
    }

    private func problem(_ test: Record) -> String? {
        let conf = test["conf"]?.string ?? ""
        let usesRuby = conf.contains("enable_ruby")
        let (section, diagnostics) = ComponentSection.read(conf, as: .filter)
        let isRefused = test["config_error"] != nil
        guard let section else {
            return isRefused || usesRuby ? nil : "refused: \(diagnostics.map(\.message)): \(conf)"
        }
        for (index, event) in (test["events"]?.array ?? []).enumerated() {
            guard let event = event.object else { continue }
            let filter: any Filter
            do throws(SectionError) {
                filter = try PluginCatalog.filter(section, context: .forTests())
            } catch {
                return isRefused || usesRuby
                    ? nil : "refused: \(error.diagnostic.message): \(conf)"
            }
            if isRefused { return "accepted: \(conf)" }
            guard let wanted = test["results"]?.array?[index].object else { return "no result" }
            if let problem = problem(event, wanted, filter) { return "\(problem): \(conf)" }
        }
        return nil
    }

    private func problem(_ event: Record, _ wanted: Record, _ filter: any Filter) -> String? {
        let good = CollectedEvents()
        let bad = CollectedEvents()
        let router = Router(
            labels: [
                Router.rootLabel: [
                    Rule(
                        matches: { _ in true },
                        action: .filter(FilterStage(name: "filter", filter: filter))),
                    Rule(matches: { _ in true }, action: .match(.output(good))),
                ],
                Router.errorLabel: [
                    Rule(matches: { _ in true }, action: .match(.output(bad)))
                ],
            ], deadLetter: bad, registry: Registry(), log: { _ in })
        guard let batch = BatchOfRecords.make([event]) else { return nil }
        let ticket = DeliveryTicket(readAt: 0) {}
        router.entry().emit(batch, ticket: ticket)
        return difference(good, wanted["out"], "out")
            ?? difference(bad, wanted["at_error"], "at @ERROR")
    }

    private func difference(_ found: CollectedEvents, _ wanted: Value?, _ name: String) -> String? {
        let expected = (wanted?.array ?? []).compactMap(\.object)
        let events = found.all
        guard events.count == expected.count else {
            return "\(events.count) \(name) for \(expected.count)"
        }
        for (event, wanted) in zip(events, expected) {
            guard let fields = wanted["record"].map(ConformanceCases.value) else { continue }
            if .object(event.record) != fields {
                return
                    "\(name) \(JSONValueWriter.text(.object(event.record))) for \(JSONValueWriter.text(fields))"
            }
            if let time = ConformanceCases.time(wanted["time"]), time != event.time {
                return "\(name) at \(event.time) for \(time)"
            }
        }
        return nil
    }
}

/// Where Weir's filters mean to differ from Fluentd's, and why.
enum FilterDifferences {
    static let table: [String: String] = [:]
}
