import Glibc
import Synchronization
import WeirCore

/// The order in which a group's label sets are shown: by their values, as bytes.
struct SeriesOrder {
    /// One label set: where it is, and what it was when the order was made.
    struct Place {
        var shard: UInt32
        var row: UInt32
        var serial: UInt64
    }

    /// The label sets, each once, also where several shards have it.
    private(set) var places: [Place] = []
    /// What the shards' populations were.
    private var populations: [UInt64] = []
    private var lastSerials: [UInt64] = []

    /// Brings the order up to date with the tables.
    mutating func update(with tables: [UnsafeMutablePointer<SeriesTable>]) {
        let populations = tables.map { $0.pointee.population }
        guard populations != self.populations else { return }
        let kept = places.filter { tables[Int($0.shard)].pointee.serial(Int($0.row)) == $0.serial }
        var new: [Place] = []
        for (shard, table) in tables.enumerated() {
            let known = shard < lastSerials.count ? lastSerials[shard] : 0
            for row in 0..<table.pointee.rowCount {
                let serial = table.pointee.serial(row)
                guard serial > known else { continue }
                let isElsewhere = tables.enumerated().contains { other, candidate in
                    guard other != shard,
                        let index = candidate.pointee.index(ofSeries: row, in: table.pointee)
                    else { return false }
                    let isKnown =
                        other < lastSerials.count
                        && candidate.pointee.serial(index) <= lastSerials[other]
                    return other < shard || isKnown
                }
                if isElsewhere { continue }
                new.append(Place(shard: UInt32(shard), row: UInt32(row), serial: serial))
            }
        }
        new.sort { Self.isOrdered($0, $1, tables) }
        places = Self.merged(kept, new, tables)
        self.populations = populations
        lastSerials = tables.map { $0.pointee.lastSerial }
    }

    private static func merged(
        _ left: [Place], _ right: [Place], _ tables: [UnsafeMutablePointer<SeriesTable>]
    ) -> [Place] {
        if left.isEmpty { return right }
        var merged: [Place] = []
        merged.reserveCapacity(left.count + right.count)
        var rest = right[...]
        for place in left {
            while let next = rest.first, isOrdered(next, place, tables) {
                merged.append(next)
                rest.removeFirst()
            }
            merged.append(place)
        }
        return merged + rest
    }

    private static func isOrdered(
        _ left: Place, _ right: Place, _ tables: [UnsafeMutablePointer<SeriesTable>]
    ) -> Bool {
        let leftTable = tables[Int(left.shard)]
        let rightTable = tables[Int(right.shard)]
        for label in 0..<leftTable.pointee.layout.labelCount {
            let leftKey = leftTable.pointee.key(Int(left.row), label)
            let rightKey = rightTable.pointee.key(Int(right.row), label)
            if leftKey == rightKey, left.shard == right.shard { continue }
            let first = leftTable.pointee.values.entries[Int(leftKey)]
            let second = rightTable.pointee.values.entries[Int(rightKey)]
            let order = memcmp(first.bytes, second.bytes, Int(min(first.length, second.length)))
            if order != 0 { return order < 0 }
            if first.length != second.length { return first.length < second.length }
        }
        return false
    }
}

extension SeriesGroup {
    /// The label sets in their order, as they are now.
    func orderedPlaces() -> (shards: [SeriesShard], places: [SeriesOrder.Place]) {
        let shards = shards
        let places = order.withLock { order in
            Self.withTables(of: shards) { tables in
                order.update(with: tables)
                return order.places
            }
        }
        return (shards, places)
    }

    /// Shows a metric's series at a place, all shards together.
    /// - Returns: Whether it is still there and has a value.
    static func show(
        _ place: SeriesOrder.Place, family: Int, bucketCount: Int, in series: inout ShownSeries,
        _ tables: [UnsafeMutablePointer<SeriesTable>]
    ) -> Bool {
        let table = tables[Int(place.shard)]
        series.labels.removeAll(keepingCapacity: true)
        guard table.pointee.serial(Int(place.row)) == place.serial else { return false }
        showValues(place, family: family, bucketCount: bucketCount, in: &series, tables)
        if series.isPresent { table.pointee.show(labelsOf: Int(place.row), in: &series) }
        return series.isPresent
    }

    /// Shows the values of a metric's series at a place where there still is one.
    static func showValues(
        _ place: SeriesOrder.Place, family: Int, bucketCount: Int, in series: inout ShownSeries,
        _ tables: [UnsafeMutablePointer<SeriesTable>]
    ) {
        let table = tables[Int(place.shard)]
        let row = Int(place.row)
        series.resetValues(bucketCount: bucketCount)
        table.pointee.show(row, family: family, in: &series)
        for other in tables where tables.count > 1 && other != table {
            guard let index = other.pointee.index(ofSeries: row, in: table.pointee) else {
                continue
            }
            other.pointee.show(index, family: family, in: &series)
        }
    }

    /// Lets series go that no shard has updated for the group's idle time.
    ///
    /// A series that one shard still updates stays in all, so that its sum does not fall.
    public func expire(now: Timestamp) {
        guard let idleTime = declaration.idleTime else { return }
        let idle = idleTime.components.seconds.multipliedReportingOverflow(by: 1000)
        guard !idle.overflow else { return }
        let limit = now.millisecondsSince1970.subtractingReportingOverflow(idle.partialValue)
        guard !limit.overflow else { return }
        Self.withTables(of: shards) { tables in
            for table in tables where table.pointee.oldestTouch < limit.partialValue {
                table.pointee.expire(before: limit.partialValue, tables.filter { $0 != table })
            }
        }
    }
}

extension SeriesTable {
    /// Removes the series that neither this table nor another one has updated since `limit`.
    mutating func expire(before limit: Int64, _ others: [UnsafeMutablePointer<SeriesTable>]) {
        var oldest = Int64.max
        for index in 0..<rowCount where serial(index) != 0 {
            let touched = row(index).load(fromByteOffset: SeriesLayout.touched, as: Int64.self)
            let isAlive =
                touched >= limit
                || others.contains { other in
                    guard let twin = other.pointee.index(ofSeries: index, in: self) else {
                        return false
                    }
                    return other.pointee.row(twin).load(
                        fromByteOffset: SeriesLayout.touched, as: Int64.self) >= limit
                }
            if isAlive {
                oldest = min(oldest, touched)
            } else {
                remove(index)
            }
        }
        oldestTouch = oldest
    }
}
