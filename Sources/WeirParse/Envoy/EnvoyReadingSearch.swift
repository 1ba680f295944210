/// Searches the readings of a line that has several, and takes the likeliest.
///
/// The places of each literal between its bounds are the nodes of a graph; an edge is a value
/// between two of them. The best path is found in one pass from the left.
final class EnvoyReadingSearch {
    /// Most places considered for one literal, half of them at either end: a forged line may hold
    /// thousands, and the search is quadratic in them.
    private static let placeLimit = 40

    private struct Node {
        /// Where the field behind the literal begins.
        var start: Int
        /// Where the literal begins.
        var literal: Int
        /// The likeliest path from the left: its likelihood, and the node before.
        var likelihood = Int.min
        var former = -1
        /// How many paths lead here: 0, 1, or 2 for several.
        var pathCount = 0
    }

    private var nodes: [Node] = []
    private var layers: [Range<Int>] = []

    /// Finds the likeliest reading between the matcher's bounds, and puts it into `starts` and
    /// `ends`.
    func search(
        _ matcher: EnvoyLineMatcher, _ line: UnsafePointer<UInt8>
    ) -> EnvoyLineMatcher.Outcome {
        tighten(matcher)
        nodes.removeAll(keepingCapacity: true)
        layers.removeAll(keepingCapacity: true)
        let start = matcher.starts[0]
        nodes.append(Node(start: start, literal: start, likelihood: 0, pathCount: 1))
        layers.append(0..<1)
        var isComplete = true
        for field in 0..<matcher.count {
            let first = nodes.count
            isComplete = appendPlaces(after: field, matcher, line) && isComplete
            connect(field, layers[field], first..<nodes.count, matcher, line)
            layers.append(first..<nodes.count)
        }
        guard var node = layers.last?.first, nodes[node].pathCount > 0 else { return .unmatched }
        let pathCount = nodes[node].pathCount
        for field in stride(from: matcher.count - 1, through: 0, by: -1) {
            matcher.ends[field] = nodes[node].literal
            node = nodes[node].former
            matcher.starts[field] = nodes[node].start
        }
        return pathCount == 1 && isComplete ? .matched : .ambiguous
    }

    /// Lets values of limited length narrow the bounds of their neighbours.
    private func tighten(_ matcher: EnvoyLineMatcher) {
        for field in stride(from: matcher.count - 1, to: 0, by: -1) {
            let longest = matcher.form(field).longest
            if longest < 1 << 20 {
                matcher.starts[field] = max(matcher.starts[field], matcher.ends[field] - longest)
            }
            let end = matcher.starts[field] - matcher.literalLength(field)
            matcher.ends[field - 1] = max(matcher.ends[field - 1], end)
        }
        for field in 0..<matcher.count - 1 {
            let longest = matcher.form(field).longest
            if longest < 1 << 20 {
                matcher.lastEnds[field] = min(
                    matcher.lastEnds[field], matcher.lastStarts[field] + longest)
            }
            matcher.lastStarts[field + 1] = min(
                matcher.lastStarts[field + 1],
                matcher.lastEnds[field] + matcher.literalLength(field + 1))
        }
    }

    /// Adds the places where the literal behind a field may stand.
    /// - Returns: Whether all of them are considered.
    private func appendPlaces(
        after field: Int, _ matcher: EnvoyLineMatcher, _ line: UnsafePointer<UInt8>
    ) -> Bool {
        let length = matcher.literalLength(field + 1)
        let first = nodes.count
        let low = matcher.ends[field]
        let high = matcher.lastEnds[field]
        guard low <= high else { return true }
        if field == matcher.count - 1 {
            nodes.append(Node(start: high + length, literal: high))
            return true
        }
        var place = low
        while place <= high, nodes.count - first < Self.placeLimit / 2 {
            if matcher.hasLiteral(field + 1, line, place) {
                nodes.append(Node(start: place + length, literal: place))
            }
            place += 1
        }
        if place > high { return true }
        let middle = nodes.count
        var lastPlace = high
        while lastPlace >= place, nodes.count - middle < Self.placeLimit / 2 {
            if matcher.hasLiteral(field + 1, line, lastPlace) {
                nodes.append(Node(start: lastPlace + length, literal: lastPlace))
            }
            lastPlace -= 1
        }
        nodes[middle...].reverse()
        while lastPlace >= place {
            if matcher.hasLiteral(field + 1, line, lastPlace) { return false }
            lastPlace -= 1
        }
        return true
    }

    /// Joins two layers of places by the values between them.
    private func connect(
        _ field: Int, _ left: Range<Int>, _ right: Range<Int>, _ matcher: EnvoyLineMatcher,
        _ line: UnsafePointer<UInt8>
    ) {
        guard let last = right.last else { return }
        let form = matcher.form(field)
        var run = -1
        for from in left where nodes[from].pathCount > 0 {
            let start = nodes[from].start
            // Places ascend, so a run that reaches this one goes on as far as before.
            if start > run || run < 0 {
                run = matcher.runEnd(field, line, start, nodes[last].literal)
            }
            for to in right where nodes[to].literal >= start {
                let end = nodes[to].literal
                if end > run { break }
                guard matcher.hasShape(field, line, start, end) else { continue }
                nodes[to].pathCount = min(2, nodes[to].pathCount + nodes[from].pathCount)
                let value = UnsafeBufferPointer(start: line + start, count: end - start)
                let likelihood = nodes[from].likelihood + form.likelihood(of: value)
                if likelihood > nodes[to].likelihood {
                    nodes[to].likelihood = likelihood
                    nodes[to].former = from
                }
            }
        }
    }
}

extension EnvoyValueForm {
    /// How likely a value is, compared with other readings of the same line.
    func likelihood(of value: UnsafeBufferPointer<UInt8>) -> Int {
        let isMissing = value.count == 1 && value[0] == UInt8(ascii: "-")
        // Long values are forged or are paths and user agents, where length says nothing.
        let text = UnsafeBufferPointer(rebasing: value.prefix(256))
        let hasSpace = text.contains(UInt8(ascii: " "))
        let hasQuote = text.contains(UInt8(ascii: "\""))
        switch likeness {
        case .userAgent: return 0
        case .anything: return (hasQuote ? -2 : 0) + (hasSpace ? -1 : 0)
        case .requestID: return isMissing ? 3 : isUUID(value) ? 6 : hasQuote ? -2 : 0
        case .addressList:
            let listed = text.allSatisfy {
                $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 6 || $0 == 0x2c || $0 == 0x20
                    || $0 == 0x2e || $0 == 0x3a
            }
            return isMissing || listed ? 3 : hasQuote ? -2 : 0
        case .address:
            return isMissing || text.contains(UInt8(ascii: ":")) ? 3 : 0
        case .host:
            return isMissing || text.allSatisfy(isHostByte) ? 3 : 0
        case .path:
            if isMissing { return 2 }
            return (value.first == UInt8(ascii: "/") ? 3 : 0) - (hasSpace ? 2 : 0)
        case .name: return (hasSpace ? -2 : 1) + (hasQuote ? -2 : 0)
        case .number:
            return isMissing || !text.isEmpty && text.allSatisfy { $0 &- 0x30 < 10 } ? 3 : 0
        }
    }

    private func isHostByte(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte == 0x2e || byte == 0x2d
            || byte == 0x3a || byte == 0x5b || byte == 0x5d || byte == 0x5f
    }

    private func isUUID(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        guard value.count == 36 else { return false }
        for (place, byte) in value.enumerated() {
            let isDash = place == 8 || place == 13 || place == 18 || place == 23
            let isHex = byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 6
            if isDash ? byte != 0x2d : !isHex { return false }
        }
        return true
    }
}
