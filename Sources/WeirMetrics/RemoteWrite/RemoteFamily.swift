import WeirCore

/// The labels of a series in the order in which remote write wants them: by name, as bytes.
///
/// A metric's own labels come before the external ones of the same name, but for values that are
/// empty: to Prometheus an empty label is none.
final class LabelPlan {
    /// One label of every series.
    struct Entry {
        var name: [UInt8]
        /// Which of the series' own values it has, if any.
        var own: Int?
        /// The value that all series have who have none of their own.
        var external: [UInt8]
    }

    /// What the series' own labels are called.
    let labelNames: [String]
    /// The labels but for `__name__` and `le`.
    let entries: [Entry]
    /// Before which entry `__name__` stands.
    let namePlace: Int
    /// Before which entry `le` stands, in series that have it.
    let boundPlace: Int
    /// The names' numbers in the symbols of a request of version 2.
    var symbols: [UInt64] = []
    /// The request that ``symbols`` are of.
    var request = 0

    static let nameLabel = Array("__name__".utf8)
    static let boundLabel = Array("le".utf8)

    init(labelNames: [String], external: [Label]) {
        self.labelNames = labelNames
        var entries: [Entry] = []
        for (index, name) in labelNames.enumerated() {
            let value = external.first { $0.name == name }?.value ?? ""
            entries.append(
                Entry(name: Array(name.utf8), own: index, external: Array(value.utf8)))
        }
        for label in external where !labelNames.contains(label.name) && !label.value.isEmpty {
            entries.append(
                Entry(name: Array(label.name.utf8), own: nil, external: Array(label.value.utf8)))
        }
        entries.sort { $0.name.lexicographicallyPrecedes($1.name) }
        self.entries = entries
        namePlace = Self.place(of: Self.nameLabel, in: entries)
        boundPlace = Self.place(of: Self.boundLabel, in: entries)
    }

    private static func place(of name: [UInt8], in entries: [Entry]) -> Int {
        entries.firstIndex { name.lexicographicallyPrecedes($0.name) } ?? entries.count
    }
}

/// A metric as remote write sends it: as one series or, of a histogram, several.
final class RemoteFamily {
    let name: [UInt8]
    let help: [UInt8]
    let unit: [UInt8]
    let kind: FamilyDeclaration.Kind
    let plan: LabelPlan
    /// The names of its series: its own, or that with `_bucket`, `_sum` and `_count`.
    let seriesNames: [[UInt8]]
    /// The values of `le`, as OpenMetrics and Prometheus since 3.0 write them: `1.0`, `+Inf`.
    let bounds: [[UInt8]]
    /// `__name__` and its value as the request has it, for each of ``seriesNames``.
    var nameLabels: [[UInt8]] = []
    /// `le` and its value as the request has it, for each of ``bounds``.
    var boundLabels: [[UInt8]] = []
    /// What explains the metric, as a request of version 2 has it.
    var metadata: [UInt8] = []
    /// The request that these are of; 0 where there is none yet.
    var request = 0

    init(
        name: String, help: String, unit: String, kind: FamilyDeclaration.Kind, plan: LabelPlan
    ) {
        self.name = Array(name.utf8)
        self.help = Array(help.utf8)
        self.unit = Array(unit.utf8)
        self.kind = kind
        self.plan = plan
        switch kind {
        case .counter, .floatCounter, .gauge, .nativeHistogram:
            seriesNames = [self.name]
            bounds = []
        case .summary:
            seriesNames = ["_sum", "_count"].map { Array((name + $0).utf8) }
            bounds = []
        case .histogram(let list):
            seriesNames = ["_sum", "_count", "_bucket"].map { Array((name + $0).utf8) }
            bounds = (list + [.infinity]).map { bound in
                var text = ByteBuffer(capacity: 32)
                FloatText.append(openMetrics: bound, to: &text)
                return Array(text.bytes)
            }
        }
    }

    /// How many samples one label set has.
    var sampleCount: Int {
        switch kind {
        case .counter, .floatCounter, .gauge, .nativeHistogram: 1
        case .summary: 2
        case .histogram: bounds.count + 2
        }
    }

    /// How many numbers ``ShownSeries`` holds of it.
    var bucketCount: Int { max(bounds.count, 1) }

    /// The metric's type, by its number in both protocols.
    var typeNumber: UInt64 {
        switch kind {
        case .counter, .floatCounter: 1
        case .gauge: 2
        case .histogram, .nativeHistogram: 3
        case .summary: 5
        }
    }

    /// Whether its values are totals that began at some time.
    var isCumulative: Bool { kind != .gauge }
}
