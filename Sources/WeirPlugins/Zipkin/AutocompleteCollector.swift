// Hot path: once per span, where keys are configured.
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTraces

/// Tells the values of some tags as events with `tagKey` and `tagValue`, from which
/// `@type elasticsearch_zipkin` makes the documents that Zipkin's UI completes searches from.
///
/// As in Zipkin each pair is told at most once an hour, and at most 20,000 are remembered
/// (`AUTOCOMPLETE_TTL`, `AUTOCOMPLETE_CARDINALITY` times five).
final class AutocompleteCollector: Sendable {
    /// The tag of the events.
    static let tag = "zipkin.autocomplete"
    private static let interval: UInt64 = 3_600_000_000_000
    private static let pairLimit = 20_000
    /// Longer pairs are not offered: Zipkin's limit of a searchable text.
    private static let byteLimit = 256

    private struct State: ~Copyable {
        /// When each pair may be told again, in nanoseconds of the monotonic clock.
        var told: [Pair: UInt64] = [:]
    }

    private struct Pair: Hashable {
        var key: String
        var value: String
    }

    private let keys: [[UInt8]]
    private let state = Monitor(State())
    private let sink: any EventSink
    private let clock: any PipelineClock
    private let skipped: Counter

    /// A collector of the values of tags; `nil` where there are none.
    init?(keys: [String], source name: String, sink: any EventSink, context: PluginContext) {
        guard !keys.isEmpty else { return nil }
        self.keys = keys.map { Array($0.utf8) }
        self.sink = sink
        clock = context.clock
        skipped = context.registry.counter(
            MetricDescription(
                "weir_zipkin_autocomplete_skipped_total",
                "Values of tags that are not offered to be completed: too long, or too many."),
            [Label("source", name)])
    }

    /// Takes spans that go on.
    func take(_ spans: [TraceSpan], of batch: SpanBatch, ticket: DeliveryTicket) {
        let now = clock.monotonicNanoseconds
        let pairs = state.withLock { state -> [Pair] in
            var new: [Pair] = []
            for span in spans {
                for tag in batch.tags(of: span) {
                    let key = batch.bytes(of: tag.key)
                    guard keys.contains(where: { key.elementsEqual($0) }) else { continue }
                    guard key.count + batch.bytes(of: tag.value).count < Self.byteLimit else {
                        skipped.add()
                        continue
                    }
                    let pair = Pair(key: batch.string(tag.key), value: batch.string(tag.value))
                    if remember(pair, now, in: &state.told) { new.append(pair) }
                }
            }
            return new
        }
        guard !pairs.isEmpty else { return }
        let time = clock.now
        let records = pairs.map { pair -> (record: Record, time: Timestamp) in
            (["tagKey": .string(pair.key), "tagValue": .string(pair.value)], time)
        }
        sink.emit(.telling(records, tag: Self.tag), ticket: ticket)
    }

    /// Whether a pair is to be told now.
    private func remember(_ pair: Pair, _ now: UInt64, in told: inout [Pair: UInt64]) -> Bool {
        if let next = told[pair], next > now { return false }
        if told.count >= Self.pairLimit, told[pair] == nil {
            told = told.filter { $0.value > now }
            guard told.count < Self.pairLimit else {
                skipped.add()
                return false
            }
        }
        told[pair] = now &+ Self.interval
        return true
    }
}
