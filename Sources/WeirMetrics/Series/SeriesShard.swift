import Glibc
import WeirCore

/// The part of a group that one filter counts in: a table behind a lock that nobody else holds for long.
///
/// The lock is taken once per batch; the scrape and the checkpoint take it for a few series at a time.
public final class SeriesShard: @unchecked Sendable {
    // Safe because `table` is touched only between lock and unlock of `mutex`.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var table: SeriesTable

    /// What the filter is called: a checkpoint gives it its series and positions back by this name.
    public let name: String

    init(name: String, table: consuming SeriesTable) {
        self.name = name
        self.table = table
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Counts a batch: `body` looks series up and updates them, alone.
    /// - Parameter now: The time that it is: what a series' idle time is measured from.
    @inline(__always)
    public func update<R>(now: Timestamp, _ body: (inout SeriesTable) -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        table.now = max(table.now, now.millisecondsSince1970)
        return body(&table)
    }

    /// Calls `body` with the table, alone.
    func withTable<R>(_ body: (inout SeriesTable) -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&table)
    }
}

extension Timestamp {
    /// Milliseconds since 1970, as far as they go.
    var millisecondsSince1970: Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        if overflow { return seconds < 0 ? Int64.min : Int64.max }
        return product &+ Int64(nanoseconds / 1_000_000)
    }
}
