// Hot path: once per series of a request, and once per sample.
import Synchronization
import WeirCore

/// Takes requests of remote write (version 1.0) into a store of samples
/// (prometheus.io/docs/specs/prw/remote_write_spec).
public final class SampleFeed: Sendable {
    /// What became of a request's samples.
    public struct Report: Sendable {
        /// Samples that were appended, or there already.
        public var taken = 0
        /// Samples that the store refused, by what it said.
        public var refused: [AppendOutcome: Int] = [:]
        /// Series that the store refused, with all their samples.
        public var refusedSeries = 0
        /// Exemplars that the store refused.
        public var refusedExemplars = 0
        /// Whether the request could be read to its end.
        public var isWhole = true

        /// Nothing yet.
        public init() {}
    }

    /// Most bytes of a request when it is restored.
    public static let requestByteLimit = 64 << 20
    /// Series whose references are remembered; beyond it all are asked for again.
    private static let cacheLimit = 1 << 20

    private let store: SampleStore
    /// References by a hash of the series' labels as they come: the same series come again and again.
    private let references = Mutex<[Origin: SeriesReference]>([:])

    /// A feed of a store.
    public init(_ store: SampleStore) { self.store = store }

    /// Takes a request as it comes, compressed.
    /// - Returns: `nil` where it is not one.
    public func take(_ request: UnsafeRawBufferPointer) -> Report? {
        guard let bytes = SnappyReader.restore(request, limit: Self.requestByteLimit) else {
            return nil
        }
        return bytes.withUnsafeBytes { bytes in
            var report = Report()
            var parts = SeriesParts()
            var reader = ProtobufReader(bytes)
            while !reader.isAtEnd {
                guard let (number, value) = reader.field() else {
                    report.isWhole = false
                    break
                }
                if number == 1, let series = value.part {
                    if parts.read(series) {
                        take(&parts, &report)
                    } else {
                        report.isWhole = false
                    }
                }
                if number == 3, let metadata = value.part { take(metadata: metadata) }
            }
            return report
        }
    }

    // MARK: Series

    private func take(_ parts: inout SeriesParts, _ report: inout Report) {
        let key = Origin(hashing: parts.labelBytes.bytes)
        guard var reference = reference(key, parts.labels) else {
            report.refusedSeries += 1
            return
        }
        var refused = append(parts, to: reference)
        if refused.first?.outcome == .unknownSeries {
            // The store has let go of it since.
            references.withLock { $0[key] = nil }
            guard let again = self.reference(key, parts.labels) else {
                report.refusedSeries += 1
                return
            }
            reference = again
            refused = append(parts, to: reference)
        }
        report.taken += parts.values.count - refused.count
        for one in refused { report.refused[one.outcome, default: 0] += 1 }
        for histogram in parts.histograms {
            guard let (time, value) = HistogramMessageReader.read(histogram) else {
                report.refused[.malformedHistogram, default: 0] += 1
                continue
            }
            let outcome = store.append(reference, at: time, value)
            if outcome == .appended || outcome == .alreadyThere {
                report.taken += 1
            } else {
                report.refused[outcome, default: 0] += 1
            }
        }
        for exemplar in parts.exemplars {
            guard let exemplar = SeriesParts.exemplar(exemplar),
                store.append(exemplar, to: reference)
            else {
                report.refusedExemplars += 1
                continue
            }
        }
    }

    private func append(
        _ parts: borrowing SeriesParts, to reference: SeriesReference
    ) -> [SampleStore.Refused] {
        parts.times.withUnsafeBufferPointer { times in
            parts.values.withUnsafeBufferPointer { values in
                store.append(at: times, values, to: reference)
            }
        }
    }

    private func reference(
        _ key: Origin, _ labels: [UnsafeRawBufferPointer]
    ) -> SeriesReference? {
        if let known = references.withLock({ $0[key] }) { return known }
        let pairs = labels.map { SeriesParts.label($0) }
        guard let reference = try? store.reference(for: pairs) else { return nil }
        references.withLock { references in
            if references.count >= Self.cacheLimit { references.removeAll() }
            references[key] = reference
        }
        return reference
    }

    // MARK: Metadata

    /// The types of remote write's metadata, by their numbers.
    private static let kinds: [MetricMetadata.Kind] = [
        .unknown, .counter, .gauge, .histogram, .gaugeHistogram, .summary, .info, .stateSet,
    ]

    private func take(metadata: UnsafeRawBufferPointer) {
        var kind = MetricMetadata.Kind.unknown
        var texts = ["", "", ""]
        var reader = ProtobufReader(metadata)
        while let (number, value) = reader.field() {
            switch (number, value) {
            case (1, .varint(let place)):
                kind = place < UInt64(Self.kinds.count) ? Self.kinds[Int(place)] : .unknown
            case (2, .bytes(let part)): texts[0] = String(decoding: part, as: UTF8.self)
            case (4, .bytes(let part)): texts[1] = String(decoding: part, as: UTF8.self)
            case (5, .bytes(let part)): texts[2] = String(decoding: part, as: UTF8.self)
            default: break
            }
        }
        guard !texts[0].isEmpty else { return }
        store.setMetadata(
            MetricMetadata(kind: kind, help: texts[1], unit: texts[2]), of: texts[0])
    }
}

/// One series of a request, taken apart. Its room serves one series after the other.
private struct SeriesParts: ~Copyable {
    /// Each label's message.
    var labels: [UnsafeRawBufferPointer] = []
    /// All labels' bytes, by which the series is known again.
    var labelBytes = ByteBuffer(capacity: 512)
    var times: [Int64] = []
    var values: [Double] = []
    var histograms: [UnsafeRawBufferPointer] = []
    var exemplars: [UnsafeRawBufferPointer] = []

    /// Reads a series in place of the former.
    /// - Returns: Whether it could be read to its end.
    mutating func read(_ series: UnsafeRawBufferPointer) -> Bool {
        labels.removeAll(keepingCapacity: true)
        labelBytes.truncate(to: 0)
        times.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        histograms.removeAll(keepingCapacity: true)
        exemplars.removeAll(keepingCapacity: true)
        var reader = ProtobufReader(series)
        while !reader.isAtEnd {
            guard let (number, value) = reader.field() else { return false }
            guard let part = value.part else { continue }
            switch number {
            case 1:
                labels.append(part)
                labelBytes.append(part)
                labelBytes.append(byte: 0xff)
            case 2: readSample(part)
            case 3: exemplars.append(part)
            case 4: histograms.append(part)
            default: break
            }
        }
        return true
    }

    private mutating func readSample(_ part: UnsafeRawBufferPointer) {
        var value = 0.0
        var time: Int64 = 0
        var reader = ProtobufReader(part)
        while let (number, field) = reader.field() {
            if number == 1 { value = field.double ?? 0 }
            if number == 2 { time = Int64(bitPattern: field.whole ?? 0) }
        }
        times.append(time)
        values.append(value)
    }

    /// A label's name and value.
    static func label(_ part: UnsafeRawBufferPointer) -> (name: String, value: String) {
        var pair = (name: "", value: "")
        var reader = ProtobufReader(part)
        while let (number, value) = reader.field() {
            let text = value.part.map { String(decoding: $0, as: UTF8.self) } ?? ""
            if number == 1 { pair.name = text }
            if number == 2 { pair.value = text }
        }
        return pair
    }

    /// An exemplar's labels, value and time.
    static func exemplar(_ part: UnsafeRawBufferPointer) -> Exemplar? {
        var exemplar = Exemplar(labels: [], value: 0, time: 0)
        var reader = ProtobufReader(part)
        while !reader.isAtEnd {
            guard let (number, value) = reader.field() else { return nil }
            switch number {
            case 1: if let part = value.part { exemplar.labels.append(label(part)) }
            case 2: exemplar.value = value.double ?? 0
            case 3: exemplar.time = Int64(bitPattern: value.whole ?? 0)
            default: break
            }
        }
        return exemplar
    }
}
