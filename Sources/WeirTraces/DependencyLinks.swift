/// A call from one service to another, counted (zipkin2.DependencyLink).
public struct DependencyLink: Sendable, Equatable {
    /// The service that calls.
    public var parent: String
    /// The service that is called.
    public var child: String
    /// How many calls.
    public var callCount: Int
    /// How many of them failed.
    public var errorCount: Int

    /// A link by its parts.
    public init(parent: String, child: String, callCount: Int = 1, errorCount: Int = 0) {
        self.parent = parent
        self.child = child
        self.callCount = callCount
        self.errorCount = errorCount
    }
}

/// Counts who calls whom in traces, by the rules of Zipkin (zipkin2.internal.DependencyLinker).
public struct DependencyLinker {
    private struct Edge: Hashable {
        var parent: String
        var child: String
    }

    private var counts: [Edge: (calls: Int, errors: Int)] = [:]

    /// A linker that has seen nothing.
    public init() {}

    /// What was counted, by the services' names.
    public var links: [DependencyLink] {
        counts.map { edge, count in
            DependencyLink(
                parent: edge.parent, child: edge.child, callCount: count.calls,
                errorCount: count.errors)
        }.sorted { ($0.parent, $0.child) < ($1.parent, $1.child) }
    }

    /// Counts the calls of a whole trace.
    public mutating func add(trace spans: [SpanRecord]) {
        let tree = SpanTree(MergedTrace.merge(spans))
        for index in tree.spans.indices { add(tree.spans[index], at: index, of: tree) }
    }

    private mutating func add(_ span: SpanRecord, at index: Int, of tree: SpanTree) {
        let (local, remote) = (span.local.service, span.remote.service)
        var kind = span.kind
        if kind == .none {
            // Without a kind, two names tell of a call all the same.
            guard !local.isEmpty, !remote.isEmpty else { return }
            kind = .client
        }
        // The server's own span tells more of the same call.
        if kind == .client, !tree.children[index].isEmpty { return }
        let isServer = kind == .server || kind == .consumer
        var parent = isServer ? remote : local
        let child = isServer ? local : remote
        var isError = span[tag: "error"] != nil
        // The two sides of a message need not belong together: the broker stands between them.
        let isMessage = kind == .producer || kind == .consumer
        if !isMessage, let ancestor = tree.nearestRemote(above: index),
            !ancestor.local.service.isEmpty
        {
            let caller = ancestor.local.service
            if kind == .client, !local.isEmpty, caller != local {
                // Whoever stood between the two left out its spans.
                count(caller, local, isError: false)
            }
            if kind == .server || parent.isEmpty { parent = caller }
            if ancestor.kind == .client, span.parentID == ancestor.id {
                isError = isError || ancestor[tag: "error"] != nil
            }
        }
        guard !parent.isEmpty, !child.isEmpty else { return }
        count(parent, child, isError: isError)
    }

    private mutating func count(_ parent: String, _ child: String, isError: Bool) {
        var count = counts[Edge(parent: parent, child: child)] ?? (0, 0)
        count.calls += 1
        if isError { count.errors += 1 }
        counts[Edge(parent: parent, child: child)] = count
    }
}

/// The spans of a trace by who called whom.
public struct SpanTree: Sendable {
    /// The spans, callers before those that they called.
    public let spans: [SpanRecord]
    /// The place of each span's caller.
    public let parents: [Int?]
    /// The places of the spans that each one called.
    public let children: [[Int]]
    /// The places of the spans that nobody called, as far as is known.
    public let roots: [Int]

    /// Most spans that lie above one another; deeper ones stand beside the last.
    private static let depthLimit = 4_096

    /// A tree of merged spans.
    public init(_ unordered: [SpanRecord]) {
        var places: [UInt64: [Int]] = [:]
        for (index, span) in unordered.enumerated() { places[span.id, default: []].append(index) }
        var parents = [Int?](repeating: nil, count: unordered.count)
        for (index, span) in unordered.enumerated() {
            // The server's half of a shared span hangs under the client's.
            if span.isShared,
                let client = places[span.id]?.first(where: {
                    $0 != index && !unordered[$0].isShared
                })
            {
                parents[index] = client
            } else if span.parentID != 0, let callers = places[span.parentID] {
                // Of the halves of a shared span, that of the same service called, else the server's.
                parents[index] =
                    callers.first { unordered[$0].local.service == span.local.service }
                    ?? callers.first { unordered[$0].isShared } ?? callers.first
            }
        }
        Self.breakCircles(&parents)
        var children = [[Int]](repeating: [], count: unordered.count)
        var roots: [Int] = []
        for (index, parent) in parents.enumerated() {
            if let parent { children[parent].append(index) } else { roots.append(index) }
        }
        func isBefore(_ left: Int, _ right: Int) -> Bool {
            unordered[left].timestamp < unordered[right].timestamp
        }
        for index in children.indices { children[index].sort(by: isBefore) }
        roots.sort(by: isBefore)
        // Callers first, each followed by what it called.
        var order: [Int] = []
        var stack = Array(roots.reversed())
        while let index = stack.popLast() {
            order.append(index)
            stack += children[index].reversed()
        }
        var newPlaces = [Int](repeating: 0, count: unordered.count)
        for (place, index) in order.enumerated() { newPlaces[index] = place }
        spans = order.map { unordered[$0] }
        self.parents = order.map { index in parents[index].map { newPlaces[$0] } }
        self.children = order.map { index in children[index].map { newPlaces[$0] } }
        self.roots = roots.map { newPlaces[$0] }
    }

    /// Spans that call each other in a circle have no caller in it.
    private static func breakCircles(_ parents: inout [Int?]) {
        var isSettled = [Bool](repeating: false, count: parents.count)
        for start in parents.indices where !isSettled[start] {
            var path: [Int] = []
            var seen: Set<Int> = []
            var place: Int? = start
            while let index = place, !isSettled[index] {
                if !seen.insert(index).inserted || path.count >= depthLimit {
                    if let last = path.last { parents[last] = nil }
                    break
                }
                path.append(index)
                place = parents[index]
            }
            for index in path { isSettled[index] = true }
        }
    }

    /// The nearest caller above a span that took part in a call between services.
    func nearestRemote(above index: Int) -> SpanRecord? {
        var place = parents[index]
        while let caller = place {
            if spans[caller].kind != .none { return spans[caller] }
            place = parents[caller]
        }
        return nil
    }

    /// How deep a span lies; a root at 0.
    public func depth(of index: Int) -> Int {
        var depth = 0
        var place = parents[index]
        while let caller = place {
            depth += 1
            place = parents[caller]
        }
        return depth
    }
}
