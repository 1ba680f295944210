/// One metric of a group: its name, meaning and kind.
public struct FamilyDeclaration: Sendable, Equatable {
    /// What a metric counts, and how it is kept.
    public enum Kind: Sendable, Equatable {
        /// A total of whole numbers that only grows.
        case counter
        /// A total of any numbers that only grows.
        case floatCounter
        /// A value that goes up and down.
        case gauge
        /// The count and the sum of observations.
        case summary
        /// Observations by upper bound, ascending, without the infinite one.
        case histogram(bounds: [Double])
        /// Observations in buckets whose bounds grow exponentially (Prometheus' native histogram).
        ///
        /// There are 2^`schema` buckets to each doubling, fewer when more than `bucketLimit` would
        /// be needed on one side of zero.
        case nativeHistogram(schema: Int = 3, bucketLimit: Int = 160)
    }

    /// The name, as samples of a counter show it: with `_total`.
    public var name: String
    /// One sentence.
    public var help: String
    /// The unit that the name ends with before any `_total`; empty for none.
    public var unit: String
    /// What it counts.
    public var kind: Kind

    /// A metric by its parts.
    public init(name: String, help: String, unit: String = "", kind: Kind) {
        self.name = name
        self.help = help
        self.unit = unit
        self.kind = kind
    }

    /// The names that the metric takes, in any format: its own and those of its lines.
    var sampleNames: [String] {
        switch kind {
        case .counter, .floatCounter:
            // OpenMetrics cuts `_total` off the name, and has a line that says when counting began.
            name.hasSuffix("_total") ? [name, base, base + "_created"] : [name]
        case .gauge: [name]
        case .summary: [name, name + "_sum", name + "_count", name + "_created"]
        case .histogram, .nativeHistogram:
            [name, name + "_sum", name + "_count", name + "_bucket", name + "_created"]
        }
    }

    private var base: String { String(name.dropLast("_total".utf8.count)) }
}

/// Why metrics cannot be declared as they are.
public struct MetricConflict: Error, Equatable, CustomStringConvertible {
    /// What is wrong.
    public var message: String
    /// How to mend it.
    public var help: String

    /// A conflict by its parts.
    public init(_ message: String, help: String) {
        self.message = message
        self.help = help
    }

    public var description: String { "\(message)\n  help: \(help)" }
}

extension SeriesGroup {
    /// Metrics that share their labels: one look-up of a label set serves all of them.
    public struct Declaration: Sendable, Equatable {
        /// The labels' names, in the order in which they are shown.
        public var labelNames: [String]
        /// The metrics.
        public var families: [FamilyDeclaration]
        /// Most series (label sets times metrics) of the group.
        public var seriesLimit: Int
        /// How long a series without updates is kept; `nil` keeps it for good.
        public var idleTime: Duration?
        /// Most bytes of a label's value; what is longer is cut off.
        public var labelValueByteLimit: Int

        /// Most series of a group when nothing else is said.
        public static let defaultSeriesLimit = 50_000
        /// How long an idle series is kept when nothing else is said.
        public static let defaultIdleTime = Duration.seconds(15 * 60)
        /// Most bytes of a label's value when nothing else is said.
        public static let defaultLabelValueByteLimit = 512
        /// Most metrics of a group.
        public static let familyLimit = 32
        /// Most labels of a group.
        public static let labelLimit = 64
        /// Most buckets of a classic histogram.
        public static let boundLimit = 256

        /// A declaration by its parts.
        public init(
            labelNames: [String], families: [FamilyDeclaration],
            seriesLimit: Int = Self.defaultSeriesLimit,
            idleTime: Duration? = Self.defaultIdleTime,
            labelValueByteLimit: Int = Self.defaultLabelValueByteLimit
        ) {
            self.labelNames = labelNames
            self.families = families
            self.seriesLimit = seriesLimit
            self.idleTime = idleTime
            self.labelValueByteLimit = labelValueByteLimit
        }

        /// The name of the first metric: what the group is called.
        public var name: String { families.first?.name ?? "" }

        /// Throws when Prometheus could not read what the declaration would show.
        public func check() throws(MetricConflict) {
            guard (1...Self.familyLimit).contains(families.count),
                labelNames.count <= Self.labelLimit
            else {
                throw MetricConflict(
                    "a group has \(families.count) metrics and \(labelNames.count) labels",
                    help: "there may be \(Self.familyLimit) metrics of \(Self.labelLimit) labels")
            }
            var seen: Set<String> = []
            for label in labelNames {
                try Self.checkLabel(label)
                guard seen.insert(label).inserted else {
                    throw MetricConflict(
                        "the label `\(label)` is there twice", help: "give each label one name")
                }
            }
            var samples: Set<String> = []
            for family in families {
                try Self.check(family, labelNames)
                for name in family.sampleNames where !samples.insert(name).inserted {
                    throw MetricConflict(
                        "two metrics have lines called `\(name)`", help: "rename one of them")
                }
            }
        }

        private static func check(
            _ family: FamilyDeclaration, _ labelNames: [String]
        ) throws(MetricConflict) {
            guard MetricName.isValid(family.name) else {
                throw MetricConflict(
                    "`\(family.name)` is not a metric's name",
                    help: "use letters, digits, `_` and `:`, and begin with no digit")
            }
            let reserved: String?
            switch family.kind {
            case .histogram(let bounds):
                reserved = "le"
                try check(bounds, of: family.name)
            case .nativeHistogram(let schema, let bucketLimit):
                reserved = "le"
                guard (-4...8).contains(schema), (8...1024).contains(bucketLimit) else {
                    throw MetricConflict(
                        "`\(family.name)` has the schema \(schema) and \(bucketLimit) buckets",
                        help: "a schema is -4 to 8, with 8 to 1024 buckets")
                }
            case .summary: reserved = "quantile"
            case .counter, .floatCounter, .gauge: reserved = nil
            }
            if let reserved, labelNames.contains(reserved) {
                throw MetricConflict(
                    "`\(family.name)` may not have a label `\(reserved)`",
                    help: "rename the label: the format uses that name itself")
            }
        }

        private static func check(
            _ bounds: [Double], of name: String
        ) throws(MetricConflict) {
            guard bounds.count <= boundLimit, bounds.allSatisfy(\.isFinite),
                zip(bounds, bounds.dropFirst()).allSatisfy({ $0 < $1 })
            else {
                throw MetricConflict(
                    "the buckets of `\(name)` are no ascending list of at most \(boundLimit) numbers",
                    help: "write each upper bound once, in ascending order, without infinity")
            }
        }

        private static func checkLabel(_ name: String) throws(MetricConflict) {
            guard MetricName.isValidLabel(name) else {
                throw MetricConflict(
                    "`\(name)` is not a label's name",
                    help: "use letters, digits and `_`, and begin with no digit")
            }
            guard !name.hasPrefix("__") else {
                throw MetricConflict(
                    "the label `\(name)` begins with `__`",
                    help: "rename it: Prometheus keeps such names to itself")
            }
        }
    }
}

/// What Prometheus takes for a name (its data model, "Metric names and labels").
public enum MetricName {
    /// Whether a metric may be called so.
    public static func isValid(_ name: String) -> Bool {
        isValid(name, allowing: UInt8(ascii: ":"))
    }

    /// Whether a label may be called so.
    public static func isValidLabel(_ name: String) -> Bool {
        isValid(name, allowing: UInt8(ascii: "_"))
    }

    private static func isValid(_ name: String, allowing extra: UInt8) -> Bool {
        guard let first = name.utf8.first, first &- UInt8(ascii: "0") > 9 else { return false }
        return name.utf8.allSatisfy { byte in
            (byte | 0x20) &- UInt8(ascii: "a") < 26
                || byte &- UInt8(ascii: "0") <= 9 || byte == UInt8(ascii: "_") || byte == extra
        }
    }
}
