/// Remembers what was decided of traces, for spans that come late: the newest ones, within a limit.
struct DecisionMemory {
    private var recent: [TraceID: Bool] = [:]
    private var older: [TraceID: Bool] = [:]
    private let limit: Int

    /// A memory of so many traces at least, and twice as many at most.
    init(limit: Int) { self.limit = limit }

    /// What was decided, as far as it is remembered.
    func decision(of id: TraceID) -> Bool? { recent[id] ?? older[id] }

    mutating func note(_ id: TraceID, isKept: Bool) {
        if recent.count >= limit {
            older = recent
            recent.removeAll(keepingCapacity: true)
        }
        recent[id] = isKept
    }
}
