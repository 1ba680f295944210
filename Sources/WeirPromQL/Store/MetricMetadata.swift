/// What is known of a metric beside its samples.
public struct MetricMetadata: Hashable, Sendable {
    /// The types of OpenMetrics.
    public enum Kind: String, Sendable, CaseIterable {
        case counter
        case gauge
        case histogram
        case gaugeHistogram = "gaugehistogram"
        case summary
        case info
        case stateSet = "stateset"
        case unknown
    }

    /// Its type.
    public var kind: Kind
    /// What it counts, for people.
    public var help: String
    /// Its unit, if it has one.
    public var unit: String

    /// What is known of a metric.
    public init(kind: Kind, help: String = "", unit: String = "") {
        self.kind = kind
        self.help = help
        self.unit = unit
    }
}

/// The metadata of metrics by their names; the last that was told counts.
struct MetadataTable: Sendable {
    private(set) var entries: [String: MetricMetadata] = [:]

    /// Keeps a metric's metadata.
    /// - Returns: Whether there was room.
    mutating func set(_ name: String, _ metadata: MetricMetadata, _ limits: StoreLimits) -> Bool {
        if entries[name] == metadata { return true }
        guard entries[name] != nil || entries.count < limits.metadataLimit,
            name.utf8.count <= limits.labelValueByteLimit
        else { return false }
        var kept = metadata
        kept.help = Self.cut(metadata.help, limits.metadataByteLimit)
        kept.unit = Self.cut(metadata.unit, limits.metadataByteLimit)
        entries[name] = kept
        return true
    }

    private static func cut(_ text: String, _ limit: Int) -> String {
        text.utf8.count <= limit ? text : String(decoding: text.utf8.prefix(limit), as: UTF8.self)
    }
}
