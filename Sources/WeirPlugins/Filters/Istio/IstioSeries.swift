// Hot path: once per event that is counted.
import Glibc
import WeirConfig
import WeirCore
import WeirMetrics

/// The series of the metrics that share their labels, as one filter counts them.
final class IstioSeries {
    /// A metric's place in the group, and whose lines it counts.
    private struct Family {
        var metric: IstioMetric
        var countsClients: Bool
        var countsServers: Bool
    }

    let kind: IstioMetric.Kind
    let shard: SeriesShard
    /// The table of the shard, while this filter alone has it.
    var table: UnsafeMutablePointer<SeriesTable>?
    /// Up to where the batch's origin was counted before.
    var countedPosition: UInt64 = 0
    private let families: [Family]
    private let clientSources: [IstioLabelSource]
    private let serverSources: [IstioLabelSource]
    private let isStandard: Bool
    private var labels: LabelValues

    init(_ group: IstioMetricsSettings.Group, shard: SeriesShard) {
        kind = group.kind
        self.shard = shard
        families = group.metrics.map {
            Family(
                metric: $0.metric, countsClients: $0.countsClients, countsServers: $0.countsServers)
        }
        clientSources = group.labels.map(\.client)
        serverSources = group.labels.map(\.server)
        isStandard = group.labels == IstioLabel.http.map { IstioLabelRule($0.name, .standard($0)) }
        labels = LabelValues(labelCount: group.labels.count)
    }

    /// The series that a request or connection belongs to.
    @inline(__always)
    func series(
        of derivation: IstioDerivation, _ values: UnsafeMutablePointer<ByteText>,
        _ batch: EventBatch
    ) -> Int {
        guard let table else { return 0 }
        labels.removeAll()
        if isStandard {
            for index in 0..<IstioLabel.http.count { labels.append(values[index]) }
        } else {
            for source in derivation.reporter == .source ? clientSources : serverSources {
                append(source, derivation, values, batch)
            }
        }
        return table.pointee.index(of: labels)
    }

    /// Adds a request or connection to every metric that counts it.
    @inline(__always)
    func count(_ event: borrowing IstioCountedEvent, in series: Int, isClient: Bool) {
        guard let table else { return }
        for (family, entry) in families.enumerated()
        where isClient ? entry.countsClients : entry.countsServers {
            add(event, to: series, family, entry.metric, table)
        }
    }

    @inline(__always)
    private func add(
        _ event: borrowing IstioCountedEvent, to series: Int, _ family: Int, _ metric: IstioMetric,
        _ table: UnsafeMutablePointer<SeriesTable>
    ) {
        switch metric {
        case .requests, .connectionsOpened, .connectionsClosed:
            table.pointee.add(1, to: series, family: family)
        case .requestDuration:
            guard event.duration >= 0 else { return }
            table.pointee.observe(
                Double(event.duration), at: series, family: family, exemplar: event.exemplar)
        case .requestBytes:
            guard event.received >= 0 else { return }
            table.pointee.observe(Double(event.received), at: series, family: family)
        case .responseBytes:
            guard event.sent >= 0 else { return }
            table.pointee.observe(Double(event.sent), at: series, family: family)
        case .requestMessages:
            guard event.requestMessages >= 0 else { return }
            table.pointee.add(UInt64(event.requestMessages), to: series, family: family)
        case .responseMessages:
            guard event.responseMessages >= 0 else { return }
            table.pointee.add(UInt64(event.responseMessages), to: series, family: family)
        case .sentBytes:
            guard event.sent >= 0 else { return }
            table.pointee.add(UInt64(event.sent), to: series, family: family)
        case .receivedBytes:
            guard event.received >= 0 else { return }
            table.pointee.add(UInt64(event.received), to: series, family: family)
        }
    }

    @inline(__always)
    private func append(
        _ source: IstioLabelSource, _ derivation: IstioDerivation,
        _ values: UnsafeMutablePointer<ByteText>, _ batch: EventBatch
    ) {
        switch source {
        case .standard(let label): labels.append(values[label.index])
        case .removed: labels.append(ByteText.none)
        case .literal(let text): labels.append(text)
        case .subset: labels.append(derivation.subsetLabel)
        case .field(let place): appendKnown(derivation.known(place))
        case .address(let place): appendKnown(derivation.known(place).withoutPort)
        case .port(let place):
            let text = derivation.known(place)
            let address = text.withoutPort
            // What stands behind the last colon, where there is an address and a port.
            appendKnown(address.count == text.count ? .none : text.behindLastColon)
        case .path(let place):
            appendKnown(derivation.known(place).part(before: UInt8(ascii: "?")))
        case .way(let way, let place):
            let start = batch.value(of: derivation.table.slot(place))
            switch FieldLookup.dig(start, way.steps.dropFirst()) {
            case .found(.null), .absent, .mistyped: appendKnown(.none)
            case .found(let value): labels.append(RubyText.text(value))
            }
        }
    }

    @inline(__always)
    private func appendKnown(_ text: ByteText) { labels.append(text.or(.literal("unknown"))) }
}

/// Which series the rows of one batch belong to, by the key of their labels' fields.
///
/// Most rows of a block are alike: for them, no label is derived or looked up again.
struct IstioSeriesMemo: ~Copyable {
    /// How many keys are kept.
    private static let entryCount = 256
    /// Most bytes of all keys of a batch; beyond it, no more are kept.
    private static let keyByteLimit = 1 << 20

    /// What is known of rows with one key.
    struct Entry {
        fileprivate var hash: UInt64 = 0
        fileprivate var start = 0
        fileprivate var length = 0
        fileprivate var batch: UInt64 = 0
        var kind = IstioMetric.Kind.http
        var isClient = false
        var isGRPC = false
    }

    private let groupCount: Int
    private let entries: UnsafeMutablePointer<Entry>
    private let series: UnsafeMutablePointer<Int>
    private var keys = ByteBuffer(capacity: 1 << 14)
    private var batch: UInt64 = 0

    init(groupCount: Int) {
        self.groupCount = groupCount
        entries = .allocate(capacity: Self.entryCount)
        entries.initialize(repeating: Entry(), count: Self.entryCount)
        series = .allocate(capacity: Self.entryCount * max(groupCount, 1))
        series.initialize(repeating: 0, count: Self.entryCount * max(groupCount, 1))
    }

    deinit {
        entries.deallocate()
        series.deallocate()
    }

    /// Forgets everything: series are known for one batch only.
    mutating func clear() {
        batch &+= 1
        keys.truncate(to: 0)
    }

    /// The place of the row's key; whether it was known is told by `isKnown`.
    @inline(__always)
    mutating func place(of table: FieldTable, isKnown: inout Bool) -> Int? {
        let start = keys.count
        guard start < Self.keyByteLimit else { return nil }
        let hash = table.appendKey(to: &keys)
        let length = keys.count &- start
        let place = Int(truncatingIfNeeded: hash) & (Self.entryCount &- 1)
        let entry = entries + place
        isKnown =
            entry.pointee.batch == batch && entry.pointee.hash == hash
            && entry.pointee.length == length
            && memcmp(keys.pointer + entry.pointee.start, keys.pointer + start, length) == 0
        if isKnown {
            keys.truncate(to: start)
        } else {
            entry.pointee = Entry(hash: hash, start: start, length: length, batch: batch)
        }
        return place
    }

    /// What is known of a key.
    @inline(__always)
    func entry(_ place: Int) -> Entry { entries[place] }

    /// Says what rows with a key are.
    mutating func set(_ place: Int, _ kind: IstioMetric.Kind, isClient: Bool, isGRPC: Bool) {
        entries[place].kind = kind
        entries[place].isClient = isClient
        entries[place].isGRPC = isGRPC
    }

    /// Forgets a key.
    mutating func forget(_ place: Int) { entries[place].batch = 0 }

    /// The series of a group that counts the rows with a key.
    @inline(__always)
    func series(_ place: Int, group: Int) -> Int { series[place &* groupCount &+ group] }

    /// Notes the series of a group.
    @inline(__always)
    mutating func setSeries(_ place: Int, group: Int, to index: Int) {
        series[place &* groupCount &+ group] = index
    }
}

/// The numbers of a request or connection; negative where the log does not tell them.
struct IstioCountedEvent: ~Copyable {
    /// Milliseconds from its start to its last byte.
    var duration = -1
    /// Bytes from the client.
    var received = -1
    /// Bytes to the client.
    var sent = -1
    /// gRPC messages from the client.
    var requestMessages = -1
    /// gRPC messages to the client.
    var responseMessages = -1
    /// What leads to the event.
    var exemplar: Exemplar?
}

extension IstioDerivation {
    /// The subset; empty where a service was asked for as a whole, `unknown` where no cluster is named.
    @inline(__always)
    var subsetLabel: ByteText {
        cluster.isEmpty && !hasIstioServerName ? .literal("unknown") : subset
    }

    /// The text of a field by its place in the table; empty where it is missing.
    @inline(__always)
    func known(_ place: Int) -> ByteText {
        let text = rawText(place)
        return text.count == 1 && text[0] == UInt8(ascii: "-") ? .none : text
    }
}

extension UnsafeRawBufferPointer {
    /// What stands behind the last colon.
    var behindLastColon: ByteText {
        guard let place = lastIndex(of: UInt8(ascii: ":")) else { return .none }
        return part(from: place + 1)
    }
}
