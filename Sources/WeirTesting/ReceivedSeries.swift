import WeirMetrics

/// A series of a remote-write request, as a receiver reads it.
public struct ReceivedSeries: Sendable, Equatable {
    /// A native histogram, its spans and deltas made absolute.
    public struct Histogram: Sendable, Equatable {
        /// All observations.
        public var count: UInt64
        /// Their sum.
        public var sum: Double
        /// The schema of the buckets.
        public var schema: Int
        /// Observations near zero.
        public var zeroCount: UInt64
        /// The buckets' counts by index, on the positive side.
        public var positive: [Int: UInt64]
        /// The same, on the negative side.
        public var negative: [Int: UInt64]
        /// When it was sampled, in milliseconds.
        public var time: Int64
    }

    /// A time and a value.
    public struct Sample: Sendable, Equatable {
        /// In milliseconds.
        public var time: Int64
        /// The bits of the value, so that staleness markers are equal.
        public var bits: UInt64

        /// A sample by its parts.
        public init(time: Int64, bits: UInt64) {
            self.time = time
            self.bits = bits
        }

        /// The value.
        public var value: Double { Double(bitPattern: bits) }
        /// Whether it says that the series is gone.
        public var isStale: Bool { bits == 0x7ff0_0000_0000_0002 }
    }

    /// An exemplar.
    public struct Exemplar: Sendable, Equatable {
        /// Its labels.
        public var labels: [String: String]
        /// Its value.
        public var value: Double
        /// In milliseconds.
        public var time: Int64
    }

    /// The labels in the order in which they came.
    public var labels: [Label] = []
    /// The samples.
    public var samples: [Sample] = []
    /// The native histograms.
    public var histograms: [Histogram] = []
    /// The exemplars.
    public var exemplars: [Exemplar] = []
    /// Type, help and unit, in version 2.
    public var metadata: (type: UInt64, help: String, unit: String) = (0, "", "")
    /// When counting began, in version 2: of the series, and of its samples.
    public var created: [Int64] = []

    public static func == (left: Self, right: Self) -> Bool {
        left.labels == right.labels && left.samples == right.samples
            && left.histograms == right.histograms && left.exemplars == right.exemplars
            && left.metadata == right.metadata && left.created == right.created
    }

    /// `name{label="value"}`, as people write it.
    public var name: String {
        let name = labels.first { $0.name == "__name__" }?.value ?? ""
        let rest = labels.filter { $0.name != "__name__" }.map { "\($0.name)=\"\($0.value)\"" }
        return rest.isEmpty ? name : "\(name){\(rest.joined(separator: ","))}"
    }
}

/// A remote-write request as a receiver reads it.
public struct ReceivedRequest: Sendable {
    /// What explains a metric, in version 1.
    public struct Metadata: Sendable, Equatable {
        /// The type's number.
        public var type: UInt64
        /// The metric.
        public var name: String
        /// One sentence.
        public var help: String
        /// The unit.
        public var unit: String

        /// What explains a metric, by its parts.
        public init(type: UInt64, name: String, help: String, unit: String) {
            self.type = type
            self.name = name
            self.help = help
            self.unit = unit
        }
    }

    /// The series in their order.
    public var series: [ReceivedSeries] = []
    /// What explains metrics.
    public var metadata: [Metadata] = []
    /// What the protocol does not allow.
    public var violations: [String] = []

    /// Reads a body; `nil` where it is broken.
    public init?(_ body: [UInt8], _ version: RemoteWriteVersion) {
        guard let bytes = SnappyDecoder.bytes(of: body), let message = ProtobufMessage(bytes)
        else { return nil }
        switch version {
        case .one:
            metadata = message.messages(3).map {
                Metadata(
                    type: $0.number(1), name: $0.text(2), help: $0.text(4), unit: $0.text(5))
            }
            for one in message.messages(1) { series.append(Self.first(one)) }
        case .two:
            let symbols = message.all(4).map { String(decoding: $0, as: UTF8.self) }
            if symbols.first != "" { violations.append("the first symbol is not empty") }
            if Set(symbols).count != symbols.count { violations.append("a symbol comes twice") }
            for one in message.messages(5) { series.append(second(one, symbols)) }
        }
        for one in series { check(one) }
    }

    private mutating func check(_ one: ReceivedSeries) {
        let names = one.labels.map { Array($0.name.utf8) }
        if !zip(names, names.dropFirst()).allSatisfy({ $0.lexicographicallyPrecedes($1) }) {
            violations.append("\(one.name): labels are not in order, or one comes twice")
        }
        if one.labels.contains(where: { $0.value.isEmpty || $0.name.isEmpty }) {
            violations.append("\(one.name): a label is empty")
        }
        if !one.labels.contains(where: { $0.name == "__name__" }) {
            violations.append("\(one.name): there is no name")
        }
        if !one.samples.isEmpty, !one.histograms.isEmpty {
            violations.append("\(one.name): there are both samples and histograms")
        }
        if one.samples.isEmpty, one.histograms.isEmpty, one.exemplars.isEmpty {
            violations.append("\(one.name): there is nothing")
        }
    }

    private static func first(_ message: ProtobufMessage) -> ReceivedSeries {
        var series = ReceivedSeries()
        series.labels = message.messages(1).map { Label($0.text(1), $0.text(2)) }
        series.samples = message.messages(2).map(sample)
        series.histograms = message.messages(4).map(histogram)
        series.exemplars = message.messages(3).map { exemplar in
            var labels: [String: String] = [:]
            for pair in exemplar.messages(1) { labels[pair.text(1)] = pair.text(2) }
            return ReceivedSeries.Exemplar(
                labels: labels, value: exemplar.double(2),
                time: Int64(bitPattern: exemplar.number(3)))
        }
        return series
    }

    private mutating func second(
        _ message: ProtobufMessage, _ symbols: [String]
    ) -> ReceivedSeries {
        func symbol(_ number: UInt64) -> String {
            guard number < UInt64(symbols.count) else {
                violations.append("there is no symbol \(number)")
                return ""
            }
            return symbols[Int(number)]
        }
        func pairs(_ message: ProtobufMessage) -> [Label] {
            let numbers = message.all(1).flatMap(ProtobufMessage.packed)
            return stride(from: 0, to: numbers.count - 1, by: 2).map {
                Label(symbol(numbers[$0]), symbol(numbers[$0 + 1]))
            }
        }
        var series = ReceivedSeries()
        series.labels = pairs(message)
        series.samples = message.messages(2).map(Self.sample)
        series.histograms = message.messages(3).map(Self.histogram)
        series.exemplars = message.messages(4).map { exemplar in
            var labels: [String: String] = [:]
            for pair in pairs(exemplar) { labels[pair.name] = pair.value }
            return ReceivedSeries.Exemplar(
                labels: labels, value: exemplar.double(2),
                time: Int64(bitPattern: exemplar.number(3)))
        }
        if let metadata = message.messages(5).first {
            series.metadata = (
                metadata.number(1), symbol(metadata.number(3)), symbol(metadata.number(4))
            )
        }
        series.created =
            [message.number(6)].map { Int64(bitPattern: $0) }
            + message.messages(2).map { Int64(bitPattern: $0.number(3)) }
            + message.messages(3).map { Int64(bitPattern: $0.number(17)) }
        return series
    }

    private static func sample(_ message: ProtobufMessage) -> ReceivedSeries.Sample {
        ReceivedSeries.Sample(
            time: Int64(bitPattern: message.number(2)), bits: message.double(1).bitPattern)
    }

    private static func histogram(_ message: ProtobufMessage) -> ReceivedSeries.Histogram {
        func buckets(_ spans: Int, _ deltas: Int) -> [Int: UInt64] {
            var counts: [Int: UInt64] = [:]
            var numbers = message.all(deltas).flatMap(ProtobufMessage.packed)[...]
            var index = 0
            var count = 0
            for span in message.messages(spans) {
                index += ProtobufMessage.signed(span.number(1))
                for _ in 0..<span.number(2) {
                    count += numbers.popFirst().map(ProtobufMessage.signed) ?? 0
                    counts[index] = UInt64(max(count, 0))
                    index += 1
                }
            }
            return counts
        }
        return ReceivedSeries.Histogram(
            count: message.number(1), sum: message.double(3),
            schema: ProtobufMessage.signed(message.number(4)), zeroCount: message.number(6),
            positive: buckets(11, 12), negative: buckets(8, 9),
            time: Int64(bitPattern: message.number(15)))
    }
}
