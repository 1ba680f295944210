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
        /// Whether the request could be read to its end.
        public var isWhole = true
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
            var reader = ProtobufReader(bytes)
            while !reader.isAtEnd {
                guard let (number, value) = reader.field() else {
                    report.isWhole = false
                    break
                }
                if number == 1, let series = value.part { take(series: series, &report) }
                if number == 3, let metadata = value.part { take(metadata: metadata) }
            }
            return report
        }
    }

    // MARK: Series

    private func take(series: UnsafeRawBufferPointer, _ report: inout Report) {
        var labels: [UnsafeRawBufferPointer] = []
        var samples: [UnsafeRawBufferPointer] = []
        var histograms: [UnsafeRawBufferPointer] = []
        var hash = ByteBuffer(capacity: 512)
        var reader = ProtobufReader(series)
        while !reader.isAtEnd {
            guard let (number, value) = reader.field() else {
                report.isWhole = false
                return
            }
            guard let part = value.part else { continue }
            switch number {
            case 1:
                labels.append(part)
                hash.append(part)
                hash.append(byte: 0xff)
            case 2: samples.append(part)
            case 4: histograms.append(part)
            default: break
            }
        }
        let key = Origin(hashing: hash.bytes)
        guard let reference = reference(key, labels) else {
            report.refusedSeries += 1
            return
        }
        for sample in samples { take(sample: sample, reference, key, labels, &report) }
        for histogram in histograms {
            guard let (time, value) = HistogramMessageReader.read(histogram) else {
                report.refused[.malformedHistogram, default: 0] += 1
                continue
            }
            note(store.append(reference, at: time, value), &report)
        }
    }

    private func reference(
        _ key: Origin, _ labels: [UnsafeRawBufferPointer]
    ) -> SeriesReference? {
        if let known = references.withLock({ $0[key] }) { return known }
        var pairs: [(name: String, value: String)] = []
        for label in labels {
            var reader = ProtobufReader(label)
            var pair = (name: "", value: "")
            while let (number, value) = reader.field() {
                let text = value.part.map { String(decoding: $0, as: UTF8.self) } ?? ""
                if number == 1 { pair.name = text }
                if number == 2 { pair.value = text }
            }
            pairs.append(pair)
        }
        guard let reference = try? store.reference(for: pairs) else { return nil }
        references.withLock { references in
            if references.count >= Self.cacheLimit { references.removeAll() }
            references[key] = reference
        }
        return reference
    }

    private func take(
        sample: UnsafeRawBufferPointer, _ reference: SeriesReference, _ key: Origin,
        _ labels: [UnsafeRawBufferPointer], _ report: inout Report
    ) {
        var value = 0.0
        var time: Int64 = 0
        var reader = ProtobufReader(sample)
        while let (number, field) = reader.field() {
            if number == 1 { value = field.double ?? 0 }
            if number == 2 { time = Int64(bitPattern: field.whole ?? 0) }
        }
        var outcome = store.append(reference, at: time, value)
        if outcome == .unknownSeries {
            // The store has let go of it since.
            references.withLock { $0[key] = nil }
            if let again = self.reference(key, labels) {
                outcome = store.append(again, at: time, value)
            }
        }
        note(outcome, &report)
    }

    private func note(_ outcome: AppendOutcome, _ report: inout Report) {
        if outcome == .appended || outcome == .alreadyThere {
            report.taken += 1
        } else {
            report.refused[outcome, default: 0] += 1
        }
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
