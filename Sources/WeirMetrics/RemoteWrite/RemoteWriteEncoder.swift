// Hot path of remote write: once per sample.
import WeirCore

/// Writes series into requests of either version (prometheus/prometheus, `prompb/types.proto` and
/// `prompb/io/prometheus/write/v2/types.proto`).
///
/// A label set is encoded once for all series that have it: of a histogram's buckets only the name and
/// `le` differ, so a sample costs a few short copies.
struct RemoteWriteEncoder: ~Copyable {
    /// What a series that is gone has instead of a value (prometheus/prometheus, `model/value`).
    static let staleMarker = Double(bitPattern: 0x7ff0_0000_0000_0002)

    /// The numbers of the fields, by message; what differs between the versions is in ``Numbers``.
    private enum Field {
        static let labels = 1
        static let samples = 2
        static let metadata = 5
        static let created = 6
        enum Sample {
            static let value = 1
            static let time = 2
            static let start = 3
        }
        enum Exemplar {
            static let labels = 1
            static let value = 2
            static let time = 3
        }
        enum Metadata {
            static let type = 1
            static let name = 2
            static let helpText = 4
            static let unitText = 5
            static let help = 3
            static let unit = 4
        }
    }

    /// The numbers of the fields that differ.
    private struct Numbers {
        var series: Int
        var histograms: Int
        var exemplars: Int
    }

    let version: RemoteWriteVersion
    private let numbers: Numbers
    /// `WriteRequest`, or the series of `Request`.
    private var series = ByteBuffer(capacity: 64 * 1024)
    private var symbols = SymbolTable()
    /// Counts requests: what families and plans keep for a request is of this one.
    private var request = 1
    private(set) var counts = RemoteWriteRequest.Counts()
    private var snappy = SnappyEncoder()
    private var scrap = ByteBuffer(capacity: 64 * 1024)

    /// The labels of the label set at hand, but for `__name__` and `le`.
    private var labels = ByteBuffer(capacity: 4096)
    private var nameOffset = 0
    private var boundOffset = 0
    /// The fields of a series behind its labels.
    private var tail = ByteBuffer(capacity: 1024)
    private var part = ByteBuffer(capacity: 1024)
    private var histogram = HistogramMessage()
    /// When the samples are taken.
    var milliseconds: Int64 = 0

    init(_ version: RemoteWriteVersion) {
        self.version = version
        numbers =
            version == .one
            ? Numbers(series: 1, histograms: 4, exemplars: 3)
            : Numbers(series: 5, histograms: 3, exemplars: 4)
    }

    /// Bytes of the request before it is compressed.
    var byteCount: Int { series.count + (version == .two ? symbols.encoded.count : 0) }

    /// Ends the request, and begins the next one.
    mutating func take() -> RemoteWriteRequest {
        scrap.truncate(to: 0)
        if version == .two {
            var message = ByteBuffer(capacity: byteCount)
            message.append(symbols.encoded.bytes)
            message.append(series.bytes)
            snappy.append(message.bytes, to: &scrap)
        } else {
            snappy.append(series.bytes, to: &scrap)
        }
        let taken = RemoteWriteRequest(
            body: Array(scrap.bytes), milliseconds: milliseconds, counts: counts)
        series.truncate(to: 0)
        counts = RemoteWriteRequest.Counts()
        request += 1
        if version == .two { symbols.reset() }
        return taken
    }

    // MARK: Labels

    /// Encodes a label set, for the series that are appended next.
    /// - Parameter values: The values of the plan's own labels.
    mutating func setLabels(_ values: [ShownSeries.LabelValue], _ plan: LabelPlan) {
        if version == .two, plan.request != request {
            plan.symbols = plan.entries.map { symbols.number(of: $0.name) }
            plan.request = request
        }
        labels.truncate(to: 0)
        for (place, entry) in plan.entries.enumerated() {
            if place == plan.namePlace { nameOffset = labels.count }
            if place == plan.boundPlace { boundOffset = labels.count }
            let symbol = version == .two ? plan.symbols[place] : 0
            if let own = entry.own, !values[own].bytes.isEmpty {
                append(entry.name, symbol, values[own].bytes)
            } else if !entry.external.isEmpty {
                entry.external.withUnsafeBytes { append(entry.name, symbol, $0) }
            }
        }
        if plan.namePlace == plan.entries.count { nameOffset = labels.count }
        if plan.boundPlace == plan.entries.count { boundOffset = labels.count }
    }

    @inline(__always)
    private mutating func append(_ name: [UInt8], _ symbol: UInt64, _ value: UnsafeRawBufferPointer)
    {
        switch version {
        case .one: Self.append(name, value, to: &labels)
        case .two:
            labels.append(varint: symbol)
            labels.append(varint: symbols.number(of: value))
        }
    }

    /// Appends a field `Label`.
    private static func append(
        _ name: [UInt8], _ value: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
    ) {
        let size = { (count: Int) in
            1 + ProtobufNumber.byteCount(varint: UInt64(count)) + count
        }
        buffer.append(field: Field.labels, byteCount: size(name.count) + size(value.count))
        name.withUnsafeBytes { buffer.append(field: 1, bytes: $0) }
        buffer.append(field: 2, bytes: value)
    }

    private mutating func label(_ name: [UInt8], _ value: [UInt8]) -> [UInt8] {
        part.truncate(to: 0)
        switch version {
        case .one: value.withUnsafeBytes { Self.append(name, $0, to: &part) }
        case .two:
            part.append(varint: symbols.number(of: name))
            part.append(varint: symbols.number(of: value))
        }
        return Array(part.bytes)
    }

    /// Makes what a metric needs in every series ready for this request.
    private mutating func prepare(_ family: RemoteFamily) {
        guard family.request == 0 || (version == .two && family.request != request) else { return }
        family.request = request
        family.nameLabels = family.seriesNames.map { label(LabelPlan.nameLabel, $0) }
        family.boundLabels = family.bounds.map { label(LabelPlan.boundLabel, $0) }
        guard version == .two else { return }
        var message = ByteBuffer(capacity: 16)
        message.append(field: Field.Metadata.type, varint: family.typeNumber)
        let help = symbols.number(of: family.help)
        if help > 0 { message.append(field: Field.Metadata.help, varint: help) }
        let unit = symbols.number(of: family.unit)
        if unit > 0 { message.append(field: Field.Metadata.unit, varint: unit) }
        part.truncate(to: 0)
        part.append(field: Field.metadata, bytes: message.bytes)
        family.metadata = Array(part.bytes)
    }

    // MARK: Series

    /// Appends a metric of the label set that was set.
    /// - Parameter exemplarsAfter: Exemplars that are not younger than this are left out.
    /// - Returns: When the youngest exemplar was.
    mutating func append(
        _ shown: ShownSeries, of family: RemoteFamily, exemplarsAfter: Int64
    ) -> Int64 {
        prepare(family)
        var youngest = exemplarsAfter
        let created = family.isCumulative ? shown.created : nil
        func exemplar(_ index: Int) -> ExemplarPool.Slot? {
            guard shown.hasExemplars, shown.exemplars[index].label > 0,
                shown.exemplars[index].milliseconds > exemplarsAfter
            else { return nil }
            youngest = max(youngest, shown.exemplars[index].milliseconds)
            return shown.exemplars[index]
        }
        switch family.kind {
        case .counter: append(Double(shown.count), family, 0, nil, created, exemplar(0))
        case .floatCounter: append(shown.number, family, 0, nil, created, exemplar(0))
        case .gauge: append(shown.number, family, 0, nil, nil, nil)
        case .summary:
            append(shown.number, family, 0, nil, created, nil)
            append(Double(shown.count), family, 1, nil, created, nil)
        case .histogram:
            append(shown.number, family, 0, nil, created, nil)
            append(Double(shown.count), family, 1, nil, created, nil)
            var total: UInt64 = 0
            for bound in family.boundLabels.indices {
                total &+= shown.counts[bound]
                append(Double(total), family, 2, bound, created, exemplar(bound))
            }
        case .nativeHistogram:
            var slots = shown.exemplars.indices.compactMap(exemplar)
            slots.sort { $0.milliseconds < $1.milliseconds }
            histogram.write(
                shown, milliseconds: milliseconds, start: version == .two ? created : nil)
            appendHistogram(family, slots, created)
        }
        return youngest
    }

    /// Appends, for each series of a metric of the label set that was set, that it is gone.
    mutating func appendStale(_ family: RemoteFamily) {
        prepare(family)
        switch family.kind {
        case .counter, .floatCounter, .gauge: append(Self.staleMarker, family, 0, nil, nil, nil)
        case .summary, .histogram:
            append(Self.staleMarker, family, 0, nil, nil, nil)
            append(Self.staleMarker, family, 1, nil, nil, nil)
            for bound in family.boundLabels.indices {
                append(Self.staleMarker, family, 2, bound, nil, nil)
            }
        case .nativeHistogram:
            histogram.writeStale(Self.staleMarker, milliseconds: milliseconds)
            appendHistogram(family, [], nil)
        }
    }

    /// Appends the native histogram that was written.
    private mutating func appendHistogram(
        _ family: RemoteFamily, _ exemplars: [ExemplarPool.Slot], _ created: Int64?
    ) {
        tail.truncate(to: 0)
        tail.append(field: numbers.histograms, bytes: histogram.message.bytes)
        if version == .two { for slot in exemplars { append(slot) } }
        counts.histograms += 1
        appendSeries(family, 0, nil, created)
        guard version == .one, !exemplars.isEmpty else { return }
        // Prometheus reads a series' exemplars before its histograms, and forgets those of a series
        // that it does not know yet. So they come as the same series once more.
        tail.truncate(to: 0)
        for slot in exemplars { append(slot) }
        appendSeries(family, 0, nil, created)
    }

    private mutating func append(
        _ value: Double, _ family: RemoteFamily, _ name: Int, _ bound: Int?, _ created: Int64?,
        _ exemplar: ExemplarPool.Slot?
    ) {
        tail.truncate(to: 0)
        part.truncate(to: 0)
        if value.bitPattern != 0 { part.append(field: Field.Sample.value, double: value) }
        part.append(field: Field.Sample.time, varint: UInt64(bitPattern: milliseconds))
        if version == .two, let created, created != 0 {
            part.append(field: Field.Sample.start, varint: UInt64(bitPattern: created))
        }
        tail.append(field: Field.samples, bytes: part.bytes)
        if let exemplar { append(exemplar) }
        counts.samples += 1
        appendSeries(family, name, bound, created)
    }

    /// Appends the labels and what is in ``tail`` as a series.
    @inline(__always)
    private mutating func appendSeries(
        _ family: RemoteFamily, _ name: Int, _ bound: Int?, _ created: Int64?
    ) {
        if version == .two {
            tail.append(family.metadata)
            // The place of older receivers; newer ones read it beside the sample.
            if let created, created != 0 {
                tail.append(field: Field.created, varint: UInt64(bitPattern: created))
            }
        }
        let name = family.nameLabels[name]
        let bound = bound.map { family.boundLabels[$0] } ?? []
        let count = labels.count &+ name.count &+ bound.count
        if version == .two {
            let head = 1 &+ ProtobufNumber.byteCount(varint: UInt64(count))
            series.append(field: numbers.series, byteCount: head &+ count &+ tail.count)
            series.append(field: Field.labels, byteCount: count)
        } else {
            series.append(field: numbers.series, byteCount: count &+ tail.count)
        }
        let isNameFirst = nameOffset <= boundOffset
        let first = isNameFirst ? nameOffset : boundOffset
        let second = isNameFirst ? boundOffset : nameOffset
        series.append(labels.pointer, first)
        series.append(isNameFirst ? name : bound)
        series.append(labels.pointer + first, second &- first)
        series.append(isNameFirst ? bound : name)
        series.append(labels.pointer + second, labels.count &- second)
        series.append(tail.bytes)
    }

    private mutating func append(_ exemplar: ExemplarPool.Slot) {
        guard let label = Exemplar.Label(rawValue: exemplar.label) else { return }
        part.truncate(to: 0)
        let name = UnsafeRawBufferPointer(
            start: label.name.utf8Start, count: label.name.utf8CodeUnitCount)
        withUnsafeBytes(of: exemplar.text) { room in
            let text = UnsafeRawBufferPointer(rebasing: room.prefix(Int(exemplar.length)))
            switch version {
            case .one: Self.append(Array(name), text, to: &part)
            case .two:
                var pair = ByteBuffer(capacity: 16)
                pair.append(varint: symbols.number(of: name))
                pair.append(varint: symbols.number(of: text))
                part.append(field: Field.Exemplar.labels, bytes: pair.bytes)
            }
        }
        if exemplar.value.bitPattern != 0 {
            part.append(field: Field.Exemplar.value, double: exemplar.value)
        }
        part.append(
            field: Field.Exemplar.time, varint: UInt64(bitPattern: exemplar.milliseconds))
        tail.append(field: numbers.exemplars, bytes: part.bytes)
        counts.exemplars += 1
    }

    // MARK: Metadata

    /// Appends what explains a metric to a request of version 1; in version 2 each series has it.
    mutating func appendMetadata(of family: RemoteFamily) {
        guard version == .one else { return }
        part.truncate(to: 0)
        part.append(field: Field.Metadata.type, varint: family.typeNumber)
        let texts = [
            (Field.Metadata.name, family.name), (Field.Metadata.helpText, family.help),
            (Field.Metadata.unitText, family.unit),
        ]
        for (field, text) in texts where !text.isEmpty {
            text.withUnsafeBytes { part.append(field: field, bytes: $0) }
        }
        series.append(field: 3, bytes: part.bytes)
        counts.metadata += 1
    }
}
