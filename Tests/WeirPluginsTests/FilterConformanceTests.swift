import Testing
import WeirConfig
import WeirCore
import WeirTesting

@Suite("Filters, held against Fluentd's", .enabled(if: SharedCases.arePresent))
struct FilterConformanceTests {
    @Test(arguments: [("record_transformer", 230), ("grep", 30), ("parser", 30)])
    func `do the same for every captured case, or differ for a reason`(
        filter: String, atLeast caseCount: Int
    ) {
        let reasons = Dictionary(
            uniqueKeysWithValues: deliberateDifferences.flatMap { difference in
                difference.cases.map { ($0, difference.reason) }
            })
        var compared = 0
        for record in SharedCases.records("conformance/fluentd/filters/\(filter).jsonl") {
            guard let id = record["id"]?.string, let conf = record["conf"]?.string else { continue }
            compared += 1
            for (place, difference) in differences(conf, record) {
                let name = place.map { "\(id) \($0)" } ?? id
                if let difference {
                    #expect(reasons[name] != nil, "\(name): \(difference)")
                } else {
                    #expect(
                        reasons[name] == nil,
                        "\(name) is the same as Fluentd's: strike it from the table")
                }
            }
        }
        #expect(compared >= caseCount)
    }

    /// The difference of the configuration, or of each event by its place; `nil` for the same.
    private func differences(
        _ conf: String, _ record: Record
    ) -> [(place: Int?, difference: String?)] {
        let zone: TimeZone = record["tz"]?.string == "America/New_York" ? .fixed(-18_000) : .utc
        let rig: FilterRig
        do {
            rig = try FilterRig(conf, zone: zone)
        } catch {
            // Ruby is refused where Weir cannot be right without it.
            let isFine = record["config_error"] != nil || conf.contains("enable_ruby true")
            return [(nil, isFine ? nil : "refused: \(error)")]
        }
        if record["config_error"] != nil { return [(nil, "Fluentd refuses it")] }
        var differences: [(place: Int?, difference: String?)] = []
        let cases = zip(record["events"]?.array ?? [], record["results"]?.array ?? [])
        for (place, (event, result)) in cases.enumerated() {
            guard let event = event.object, let result = result.object, let fields = event["record"]
            else { continue }
            let seen = rig.run(
                [CapturedValues.json(fields)], tag: event["tag"]?.string ?? "",
                time: time(event["time"]))
            let out = expected(result["out"])
            let failed = expected(result["at_error"])
            let isSame = seen.out == out && seen.failed == failed
            differences.append(
                (
                    place,
                    isSame
                        ? nil
                        : "\(JSONValueWriter.text(fields)) gives \(shown(seen.out)), @ERROR"
                            + " \(shown(seen.failed)); Fluentd: \(shown(out)), @ERROR \(shown(failed))"
                ))
        }
        return differences
    }

    private func shown(_ events: [SeenEvent]) -> [String] {
        events.map {
            "\($0.time.seconds).\($0.time.nanoseconds) \(JSONValueWriter.text(.object($0.record)))"
        }
    }

    private func expected(_ value: Value?) -> [SeenEvent] {
        (value?.array ?? []).compactMap { event in
            guard let event = event.object, let record = event["record"] else { return nil }
            return SeenEvent(
                tag: event["tag"]?.string ?? "", time: time(event["time"]),
                record: CapturedValues.shown(record).object ?? ["not a record": record])
        }
    }

    private func time(_ value: Value?) -> Timestamp {
        guard let parts = value?.array, parts.count == 2, let seconds = parts[0].integer,
            let nanoseconds = parts[1].integer
        else { return FilterRig.now }
        return Timestamp(seconds: seconds, nanoseconds: UInt32(clamping: nanoseconds))
    }
}
