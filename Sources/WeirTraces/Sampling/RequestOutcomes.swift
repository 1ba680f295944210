import Synchronization

/// Which requests went wrong by the access log, by the ids that spans know as well: the newest ones,
/// within a limit.
public final class RequestOutcomes: Sendable {
    private struct State {
        var recent: Set<UInt64> = []
        var older: Set<UInt64> = []
    }

    /// Most ids of a generation.
    private let limit: Int
    private let state = Mutex(State())

    /// A memory of so many requests at least, and twice as many at most.
    public init(limit: Int = 100_000) { self.limit = limit }

    /// Notes that a request went wrong.
    public func noteFailure(ofRequest id: UnsafeRawBufferPointer) {
        let name = Self.name(of: id)
        state.withLock { state in
            if state.recent.count >= limit {
                state.older = state.recent
                state.recent.removeAll(keepingCapacity: true)
            }
            state.recent.insert(name)
        }
    }

    /// Whether a request of those is known to have gone wrong.
    func haveFailure(among ids: [UInt64]) -> Bool {
        guard !ids.isEmpty else { return false }
        return state.withLock { state in
            ids.contains { state.recent.contains($0) || state.older.contains($0) }
        }
    }

    /// A number for an id; the process's own seed keeps outsiders from making two the same.
    static func name(of id: UnsafeRawBufferPointer) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(bytes: id)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
