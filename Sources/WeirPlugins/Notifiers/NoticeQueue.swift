import WeirAlerts

/// Notices that wait to be sent, each alert once: a newer notice of it takes the older one's place.
struct NoticeQueue {
    /// Most alerts that wait; beyond it the oldest goes.
    static let limit = 10_000
    /// Most alerts of a request (Prometheus: `--alertmanager.notification-batch-size`).
    static let batchLimit = 256

    private var notices: [String: AlertNotice] = [:]
    private var order: [String] = []

    /// Whether nothing waits.
    var isEmpty: Bool { order.isEmpty }

    /// Adds notices.
    /// - Returns: How many others were dropped for want of room.
    mutating func add(_ added: [AlertNotice]) -> Int {
        for notice in added {
            let key = notice.key
            if notices.updateValue(notice, forKey: key) == nil { order.append(key) }
        }
        let excess = max(0, order.count - Self.limit)
        for key in order.prefix(excess) { notices[key] = nil }
        order.removeFirst(excess)
        return excess
    }

    /// Takes what is sent next.
    mutating func take(_ limit: Int = batchLimit) -> [AlertNotice] {
        let keys = order.prefix(limit)
        order.removeFirst(keys.count)
        return keys.compactMap { notices.removeValue(forKey: $0) }
    }

    /// Puts back what could not be sent, before the others; what has been replaced since stays replaced.
    mutating func putBack(_ taken: [AlertNotice]) {
        let missing = taken.filter { notices[$0.key] == nil }
        for notice in missing { notices[notice.key] = notice }
        order.insert(contentsOf: missing.map(\.key), at: 0)
    }
}
