/// Puts together what came of one trace in pieces, as Zipkin does (zipkin2.internal.Trace).
public enum MergedTrace {
    /// The spans of a trace, those of the same id and side as one; all with the longer of the two
    /// lengths of the trace's id.
    public static func merge(_ spans: [SpanRecord]) -> [SpanRecord] {
        guard let longest = spans.max(by: { $0.traceID.high < $1.traceID.high })?.traceID else {
            return []
        }
        var merged: [SpanRecord] = []
        var places: [UInt64: [Int]] = [:]
        for var span in spans {
            span.traceID = longest
            let candidates = places[span.id] ?? []
            if let place = candidates.first(where: { areSame(merged[$0], span) }) {
                merged[place] = joined(merged[place], span)
            } else {
                places[span.id, default: []].append(merged.count)
                merged.append(span)
            }
        }
        shareServers(&merged, places)
        return merged
    }

    /// Whether two pieces tell of the same side of the same span.
    private static func areSame(_ left: SpanRecord, _ right: SpanRecord) -> Bool {
        let differ =
            left.kind != .none && right.kind != .none && left.kind != right.kind
            || left.isShared != right.isShared && left.kind != .none && right.kind != .none
        guard !differ else { return false }
        return left.local.isEmpty || right.local.isEmpty || left.local == right.local
            || left.local.service == right.local.service
    }

    private static func joined(_ left: SpanRecord, _ right: SpanRecord) -> SpanRecord {
        var joined = left
        if joined.parentID == 0 { joined.parentID = right.parentID }
        if joined.kind == .none { joined.kind = right.kind }
        if joined.name.isEmpty || joined.name == "unknown" { joined.name = right.name }
        // The earlier begin and the longer time, as both pieces tell of one thing.
        if joined.timestamp == 0 || right.timestamp != 0 && right.timestamp < joined.timestamp {
            joined.timestamp = right.timestamp
        }
        joined.duration = max(joined.duration, right.duration)
        if joined.local.isEmpty { joined.local = right.local }
        if joined.remote.isEmpty { joined.remote = right.remote }
        for annotation in right.annotations where !joined.annotations.contains(annotation) {
            joined.annotations.append(annotation)
        }
        joined.annotations.sort { ($0.timestamp, $0.value) < ($1.timestamp, $1.value) }
        for tag in right.tags where joined[tag: tag.key] == nil { joined.tags.append(tag) }
        joined.tags.sort { $0.key < $1.key }
        joined.isDebug = joined.isDebug || right.isDebug
        joined.isShared = joined.isShared || right.isShared
        return joined
    }

    /// A server's span of the same id as a client's is shared, also where it does not say so; and it
    /// has the client's caller.
    private static func shareServers(_ spans: inout [SpanRecord], _ places: [UInt64: [Int]]) {
        for (_, indices) in places where indices.count > 1 {
            guard let client = indices.first(where: { spans[$0].kind == .client }) else { continue }
            for index in indices where spans[index].kind == .server {
                spans[index].isShared = true
                if spans[index].parentID == 0 { spans[index].parentID = spans[client].parentID }
            }
        }
    }
}
