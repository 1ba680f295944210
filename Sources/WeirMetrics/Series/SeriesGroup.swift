import Synchronization
import WeirCore

/// Metrics that share their labels, counted in shards and shown as one.
public final class SeriesGroup: Sendable {
    /// What the group counts.
    public let declaration: Declaration
    let limits: SeriesLimits
    let layout: SeriesLayout
    private let list = Mutex<[SeriesShard]>([])
    let order = Mutex(SeriesOrder())

    /// A group that counts its series against `total`, and tells what it limits in `registry`.
    ///
    /// Usually a ``SeriesCatalog`` makes it.
    public init(
        _ declaration: Declaration, total: SeriesBudget, registry: Registry
    ) throws(MetricConflict) {
        try declaration.check()
        self.declaration = declaration
        layout = SeriesLayout(declaration)
        limits = SeriesLimits(declaration, total: total, registry: registry)
    }

    /// Living series: label sets of all shards, times metrics.
    public var seriesCount: Int { limits.group.usedCount }

    /// Bytes that the group's tables have allocated.
    public var allocatedByteCount: Int {
        shards.reduce(0) { $0 + $1.withTable { $0.allocatedByteCount } }
    }

    /// The shard that one filter counts in, made when there is none of that name.
    public func shard(named name: String) -> SeriesShard {
        list.withLock { list in
            if let shard = list.first(where: { $0.name == name }) { return shard }
            let shard = SeriesShard(
                name: name, table: SeriesTable(declaration, limits: limits))
            list.append(shard)
            return shard
        }
    }

    /// The shards, in the order in which they were made.
    var shards: [SeriesShard] { list.withLock { $0 } }
}
