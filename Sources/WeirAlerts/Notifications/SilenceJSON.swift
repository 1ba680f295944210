import WeirCore
import WeirPromQL

/// Silences as Alertmanager's API writes and reads them (its `openapi.yaml`, version 2).
public enum SilenceJSON {
    /// Why a text is no silence.
    public struct Refusal: Error, Equatable, Sendable {
        /// The reason.
        public var message: String
    }

    /// A silence as it is shown at a time.
    public static func value(of silence: Silence, at now: Int64) -> Value {
        .object([
            "id": .string(silence.id),
            "status": .object(["state": .string(silence.state(at: now).rawValue)]),
            "updatedAt": .string(GoJSON.time(silence.updatedAt)),
            "comment": .string(silence.comment), "createdBy": .string(silence.createdBy),
            "endsAt": .string(GoJSON.time(silence.endsAt)),
            "matchers": .array(silence.matchers.map { value(of: $0.matcher) }),
            "startsAt": .string(GoJSON.time(silence.startsAt)),
        ])
    }

    private static func value(of matcher: LabelMatcher) -> Value {
        let isEqual = matcher.operation == .equal || matcher.operation == .matches
        let isPattern = matcher.operation == .matches || matcher.operation == .notMatches
        return .object([
            "isEqual": .bool(isEqual), "isRegex": .bool(isPattern),
            "name": .string(matcher.name), "value": .string(matcher.value),
        ])
    }

    /// The silence that a text describes.
    public static func silence(_ value: Value?) throws(Refusal) -> Silence {
        guard let record = value?.object else {
            throw Refusal(message: "the body must be a JSON object")
        }
        guard let matchers = record["matchers"]?.array, matchers.count <= 100 else {
            throw Refusal(message: "matchers in body is required, of at most 100")
        }
        var conditions: [AlertMatcher] = []
        for matcher in matchers { conditions.append(try condition(matcher)) }
        return Silence(
            id: record["id"]?.string ?? "", matchers: conditions,
            startsAt: try time(record, "startsAt"), endsAt: try time(record, "endsAt"),
            updatedAt: (try? time(record, "updatedAt")) ?? 0,
            createdBy: try text(record, "createdBy"), comment: try text(record, "comment"))
    }

    private static func condition(_ value: Value) throws(Refusal) -> AlertMatcher {
        guard let record = value.object, let name = record["name"]?.string, !name.isEmpty,
            let text = record["value"]?.string
        else { throw Refusal(message: "a matcher needs name and value") }
        let isPattern = record["isRegex"]?.bool == true
        let isEqual = record["isEqual"]?.bool != false
        let operation: LabelMatcher.Operation =
            isPattern ? (isEqual ? .matches : .notMatches) : (isEqual ? .equal : .notEqual)
        do throws(AlertMatcherError) {
            return try AlertMatcher(LabelMatcher(name: name, operation: operation, value: text))
        } catch {
            throw Refusal(message: error.message)
        }
    }

    private static func text(_ record: Record, _ name: String) throws(Refusal) -> String {
        guard let text = record[name]?.string, text.utf8.count <= 1 << 16 else {
            throw Refusal(message: "\(name) in body is required, of at most 64 KiB")
        }
        return text
    }

    private static func time(_ record: Record, _ name: String) throws(Refusal) -> Int64 {
        guard var text = record[name]?.string else {
            throw Refusal(message: "\(name) in body is required")
        }
        let found = text.withUTF8 {
            TimeFormat.parseFreely(UnsafeRawBufferPointer($0), zone: .utc, now: .epoch)
        }
        guard let found else {
            throw Refusal(message: "\(name) in body must be a time such as 2026-11-27T12:00:00Z")
        }
        return found.time.millisecondsSince1970
    }
}

/// Alerts as Alertmanager's API shows them.
public enum AlertJSON {
    /// A notice and what keeps it silent.
    public static func value(
        of notice: AlertNotice, receivers: [String], silencedBy: [String], inhibitedBy: [String],
        updatedAt: Int64
    ) -> Value {
        func texts(_ pairs: [(name: String, value: String)]) -> Value {
            .object(Record(pairs.map { (key: $0.name, value: .string($0.value)) }))
        }
        let isActive = silencedBy.isEmpty && inhibitedBy.isEmpty
        return .object([
            "annotations": texts(notice.annotations),
            "endsAt": .string(GoJSON.time(notice.endsAt)),
            "fingerprint": .string(notice.fingerprintText),
            "receivers": .array(receivers.map { .object(["name": .string($0)]) }),
            "startsAt": .string(GoJSON.time(notice.startsAt)),
            "status": .object([
                "inhibitedBy": .array(inhibitedBy.map { .string($0) }), "mutedBy": .array([]),
                "silencedBy": .array(silencedBy.map { .string($0) }),
                "state": .string(isActive ? "active" : "suppressed"),
            ]),
            "updatedAt": .string(GoJSON.time(updatedAt)),
            "generatorURL": .string(notice.generatorURL), "labels": texts(notice.labels),
        ])
    }
}
