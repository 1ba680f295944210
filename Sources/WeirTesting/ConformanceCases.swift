import WeirCore

/// Cases of the conformance kit, and how their values are compared.
public enum ConformanceCases {
    /// A time as the kit writes it: `[seconds, nanoseconds]`.
    public static func time(_ value: Value?) -> Timestamp? {
        guard case .array(let parts)? = value, parts.count == 2, let seconds = parts[0].integer,
            let nanoseconds = parts[1].integer
        else { return nil }
        return Timestamp(seconds: seconds, nanoseconds: UInt32(clamping: nanoseconds))
    }

    /// Bytes that the kit writes as text or as base64 under `key_b64`.
    public static func bytes(_ record: Record, _ key: String) -> [UInt8]? {
        if let text = record[key]?.string { return Array(text.utf8) }
        return record[key + "_b64"]?.string.flatMap { Base64.bytes(of: $0) }
    }

    /// A value of the kit as Weir can hold it: broken UTF-8 is replaced, other values of Ruby's
    /// become what Fluentd writes for them in JSON.
    public static func value(_ value: Value) -> Value {
        switch value {
        case .object(let record):
            if let text = record["$b64"]?.string, let bytes = Base64.bytes(of: text) {
                return .string(String(decoding: bytes, as: UTF8.self))
            }
            if let text = record["$symbol"]?.string { return .string(text) }
            if let parts = record["$event_time"]?.array { return parts[0] }
            return .object(
                Record(record.fields.map { (key: $0.key, value: Self.value($0.value)) }))
        case .array(let values): return .array(values.map(Self.value))
        case .null, .bool, .integer, .float, .number, .string: return value
        }
    }

    /// Whether two values are the same, whole and fractional numbers told apart.
    public static func areEqual(_ left: Value, _ right: Value) -> Bool { left == right }
}

/// What a run of cases found, held against a table of deliberate differences.
public struct ConformanceReport {
    private let differences: [String: String]
    private var failed: [String: String] = [:]
    private var seen: Set<String> = []

    /// A report against a table: the case's id and why Weir differs.
    public init(differences: [String: String]) {
        self.differences = differences
    }

    /// Notes one case.
    public mutating func note(_ id: String, problem: String?) {
        seen.insert(id)
        if let problem { failed[id] = problem }
    }

    /// Cases that fail without standing in the table, with their problems.
    public var unexpected: [String] {
        failed.filter { differences[$0.key] == nil }.sorted { $0.key < $1.key }
            .map { "\($0.key): \($0.value)" }
    }

    /// Rows of the table whose case does not differ: the table must stay true.
    public var stale: [String] {
        differences.keys.filter { seen.contains($0) && failed[$0] == nil }.sorted()
    }
}
