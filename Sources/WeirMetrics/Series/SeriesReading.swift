/// What a metric of one label set shows: the shards' values together.
public enum SeriesReading: Sendable, Equatable {
    /// A counter of whole numbers.
    case count(UInt64)
    /// A counter of any numbers, or a gauge.
    case number(Double)
    /// A summary.
    case summary(count: UInt64, sum: Double)
    /// A classic histogram: the count of each bucket, not cumulated, the last one beyond all bounds.
    case histogram(counts: [UInt64], sum: Double)
    /// A native histogram: its count and sum.
    case native(count: UInt64, sum: Double)
}

extension SeriesGroup {
    /// The values of a metric by label values, all shards together.
    ///
    /// For tests and for few series: the scrape goes another way.
    public func readings(ofFamily family: Int) -> [[String]: SeriesReading] {
        let kind = declaration.families[family].kind
        let bucketCount = if case .histogram(let bounds) = kind { bounds.count + 1 } else { 1 }
        var readings: [[String]: SeriesReading] = [:]
        var series = ShownSeries()
        let (shards, places) = orderedPlaces()
        Self.withTables(of: shards) { tables in
            for place in places
            where Self.show(
                place, family: family, bucketCount: bucketCount, in: &series, tables)
            {
                let labels = series.labels.map { String(decoding: $0.bytes, as: UTF8.self) }
                readings[labels] = series.reading(kind)
            }
        }
        return readings
    }
}
