import WeirCore
import WeirMetrics
import WeirTesting

/// A group with one shard and what a test asks of them.
struct SeriesRig {
    let registry: Registry
    let group: SeriesGroup
    let shard: SeriesShard

    init(
        labels: [String], families: [FamilyDeclaration], seriesLimit: Int = 50_000,
        totalLimit: Int = 50_000, idleTime: Duration? = .seconds(900), valueByteLimit: Int = 512
    ) throws {
        registry = Registry(seriesLimit: totalLimit)
        let catalog = SeriesCatalog(registry: registry)
        group = try catalog.group(
            SeriesGroup.Declaration(
                labelNames: labels, families: families, seriesLimit: seriesLimit,
                idleTime: idleTime, labelValueByteLimit: valueByteLimit))
        catalog.activate()
        shard = group.shard(named: "test")
    }

    /// A counter with these labels.
    static func counter(
        _ labels: [String] = ["a", "b"], seriesLimit: Int = 50_000, totalLimit: Int = 50_000,
        idleTime: Duration? = .seconds(900), valueByteLimit: Int = 512
    ) throws -> SeriesRig {
        try SeriesRig(
            labels: labels,
            families: [FamilyDeclaration(name: "x_total", help: "X.", kind: .counter)],
            seriesLimit: seriesLimit, totalLimit: totalLimit, idleTime: idleTime,
            valueByteLimit: valueByteLimit)
    }

    /// Adds to the first family of a label set.
    func add(
        _ amount: UInt64 = 1, _ values: [String], at seconds: Int64 = 1000,
        shard other: SeriesShard? = nil
    ) {
        add(amount, bytes: values.map { Array($0.utf8) }, at: seconds, shard: other)
    }

    /// Adds to the first family of a label set of any bytes.
    func add(
        _ amount: UInt64 = 1, bytes: [[UInt8]], at seconds: Int64 = 1000,
        shard other: SeriesShard? = nil
    ) {
        update(bytes, at: seconds, shard: other) { table, index in
            table.add(amount, to: index, family: 0)
        }
    }

    /// Updates a label set.
    func update(
        _ values: [[UInt8]], at seconds: Int64 = 1000, shard other: SeriesShard? = nil,
        _ body: (inout SeriesTable, Int) -> Void
    ) {
        var labels = LabelValues(labelCount: values.count)
        for value in values { value.withUnsafeBytes { labels.append($0) } }
        (other ?? shard).update(now: Timestamp(seconds: seconds)) { table in
            let index = table.index(of: labels)
            body(&table, index)
        }
    }

    /// The counts of a counter by label values.
    func counts(_ family: Int = 0) -> [[String]: UInt64] {
        group.readings(ofFamily: family).compactMapValues {
            if case .count(let count) = $0 { count } else { nil }
        }
    }
}
