import Glibc
import WeirCore

/// The part of a group that one filter counts in: a table behind a lock that nobody else holds for long.
///
/// The lock is taken once per batch; the scrape and the checkpoint take it for a few series at a time.
public final class SeriesShard: @unchecked Sendable {
    // Safe because `table` is touched only between lock and unlock of `mutex`.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let table: UnsafeMutablePointer<SeriesTable>

    /// What the filter is called: a checkpoint gives it its series and positions back by this name.
    public let name: String

    init(name: String, table: consuming SeriesTable) {
        self.name = name
        self.table = .allocate(capacity: 1)
        self.table.initialize(to: table)
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        table.deinitialize(count: 1)
        table.deallocate()
    }

    /// Counts a batch: `body` looks series up and updates them, alone.
    /// - Parameter now: The time that it is: what a series' idle time is measured from.
    @inline(__always)
    public func update<R>(now: Timestamp, _ body: (inout SeriesTable) -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        table.pointee.now = max(table.pointee.now, now.millisecondsSince1970)
        return body(&table.pointee)
    }

    /// Calls `body` with the table, alone.
    func withTable<R>(_ body: (inout SeriesTable) -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&table.pointee)
    }

    /// Locks the table, to be used with those of other shards.
    fileprivate func lock() -> UnsafeMutablePointer<SeriesTable> {
        pthread_mutex_lock(mutex)
        return table
    }

    fileprivate func unlock() { pthread_mutex_unlock(mutex) }
}

extension SeriesGroup {
    /// Calls `body` with the tables of some shards, alone; shards come in the group's order, so that
    /// two who want several of them never wait for each other.
    static func withTables<R>(
        of shards: [SeriesShard], _ body: ([UnsafeMutablePointer<SeriesTable>]) -> R
    ) -> R {
        let tables = shards.map { $0.lock() }
        defer { for shard in shards { shard.unlock() } }
        return body(tables)
    }
}
