// Hot path: once per log line in one of Envoy's text formats. Lines are readable 16 bytes beyond
// their end, so literals and values are looked at 16 bytes at a time.
import CShims

/// Finds the fields of a line in a text format, without regular expressions.
///
/// Since nothing is escaped, a literal of the format may stand in a value too. So the matcher
/// looks for every literal's first possible place from the left, and for its last possible place
/// from the right. Where both agree, which is so for nearly all lines, there is only one reading;
/// otherwise the readings between both bounds are searched (``EnvoyReadingSearch``).
final class EnvoyLineMatcher {
    /// What became of a line.
    enum Outcome {
        case unmatched
        /// The line has one reading.
        case matched
        /// The line has several readings; the likeliest was taken.
        case ambiguous
    }

    /// How the bytes of a field are checked.
    private enum Run {
        case any
        case integer
        case unspaced
        case headerText
        /// Every letter, digit and one of `-./:`, and perhaps more.
        case address
        case table

        private static let addressBytes = ByteSet.letters.union(.digits).union(ByteSet("-./:"))

        init(_ form: EnvoyValueForm) {
            if form.kind == .integer {
                self = .integer
            } else if form.bytes == .all {
                self = .any
            } else if form.bytes == .unspaced {
                self = .unspaced
            } else if form.bytes == .headerText {
                self = .headerText
            } else if form.bytes.union(Self.addressBytes) == form.bytes {
                self = .address
            } else {
                self = .table
            }
        }
    }

    let format: EnvoyFormat
    let count: Int
    /// Where each field begins and ends in the line that was matched last.
    let starts: UnsafeMutablePointer<Int>
    let ends: UnsafeMutablePointer<Int>
    /// The last possible begin and end of each field.
    let lastStarts: UnsafeMutablePointer<Int>
    let lastEnds: UnsafeMutablePointer<Int>
    /// All literals, one behind the other.
    private let literalBytes: UnsafeMutablePointer<UInt8>
    private let literalOffsets: UnsafeMutablePointer<Int>
    /// For each field the least and the largest length of its values.
    private let shortest: UnsafeMutablePointer<Int>
    private let longest: UnsafeMutablePointer<Int>
    private let runs: UnsafeMutablePointer<Run>
    private let omitsEmpty: Bool
    /// For each field 256 bytes: 1 for each byte that its values may hold.
    private let tables: UnsafeMutablePointer<UInt8>
    private let forms: [EnvoyValueForm]
    private let search = EnvoyReadingSearch()

    /// A matcher for a format.
    init(_ format: EnvoyFormat) {
        self.format = format
        count = format.fields.count
        forms = format.fields.map(\.form)
        omitsEmpty = format.omitsEmpty
        shortest = .allocate(capacity: count * 2 + 1)
        longest = shortest + count
        runs = .allocate(capacity: count + 1)
        for (field, form) in forms.enumerated() {
            shortest[field] = form.shortest
            longest[field] = form.longest
            (runs + field).initialize(to: Run(form))
        }
        starts = .allocate(capacity: count * 4 + 1)
        starts.initialize(repeating: 0, count: count * 4 + 1)
        ends = starts + count
        lastStarts = ends + count
        lastEnds = lastStarts + count
        var offsets = [0]
        for literal in format.literals { offsets.append((offsets.last ?? 0) + literal.count) }
        literalOffsets = .allocate(capacity: offsets.count)
        for (place, offset) in offsets.enumerated() { literalOffsets[place] = offset }
        let bytes = format.literals.flatMap(\.self)
        literalBytes = .allocate(capacity: bytes.count + 8)
        literalBytes.initialize(repeating: 0, count: bytes.count + 8)
        for (place, byte) in bytes.enumerated() { literalBytes[place] = byte }
        tables = .allocate(capacity: count * 256 + 1)
        for (field, form) in forms.enumerated() {
            for byte in UInt8.min...UInt8.max {
                tables[field * 256 + Int(byte)] = form.bytes.contains(byte) ? 1 : 0
            }
        }
    }

    deinit {
        starts.deallocate()
        literalBytes.deallocate()
        literalOffsets.deallocate()
        shortest.deallocate()
        runs.deallocate()
        tables.deallocate()
    }

    /// Finds the fields of a line; ``starts`` and ``ends`` hold them.
    func match(_ line: UnsafePointer<UInt8>, _ length: Int) -> Outcome {
        let first = literalLength(0)
        let limit = length - (count > 0 ? literalLength(count) : 0)
        guard limit >= first, hasLiteral(0, line, 0),
            count > 0 ? hasLiteral(count, line, limit) : length == first
        else { return .unmatched }
        if count == 0 { return .matched }
        guard boundFromLeft(line, from: first, limit), boundFromRight(line, from: first, limit)
        else { return .unmatched }
        var agree = true
        for field in 0..<count where ends[field] != lastEnds[field] {
            if ends[field] > lastEnds[field] { return .unmatched }
            agree = false
        }
        if agree {
            for field in 0..<count where !fits(field, line, starts[field], ends[field]) {
                return .unmatched
            }
            return .matched
        }
        return search.search(self, line)
    }

    /// The first possible place of every literal; values that cannot hold it end there for sure.
    @inline(__always)
    private func boundFromLeft(
        _ line: UnsafePointer<UInt8>, from first: Int, _ limit: Int
    ) -> Bool {
        var place = first
        for field in 0..<count - 1 {
            starts[field] = place
            let length = literalLength(field + 1)
            let end = find(field + 1, line, place &+ shortest[field], limit &- length)
            if end < 0 { return false }
            ends[field] = end
            place = end &+ length
        }
        starts[count - 1] = place
        ends[count - 1] = limit
        return place <= limit
    }

    /// The last possible place of every literal.
    @inline(__always)
    private func boundFromRight(
        _ line: UnsafePointer<UInt8>, from first: Int, _ limit: Int
    ) -> Bool {
        var end = limit
        for field in stride(from: count - 1, to: 0, by: -1) {
            lastEnds[field] = end
            let length = literalLength(field)
            let place = findLast(
                field, line, end &- shortest[field] &- length, starts[field] &- length)
            if place < 0 { return false }
            lastStarts[field] = place &+ length
            end = place
        }
        lastStarts[0] = first
        lastEnds[0] = end
        return end >= first
    }

    // MARK: Literals

    @inline(__always)
    func literalLength(_ index: Int) -> Int { literalOffsets[index + 1] &- literalOffsets[index] }

    /// Whether a literal stands at a place; the line has room for it.
    @inline(__always)
    func hasLiteral(_ index: Int, _ line: UnsafePointer<UInt8>, _ place: Int) -> Bool {
        let literal = UnsafeRawPointer(literalBytes + literalOffsets[index])
        let text = UnsafeRawPointer(line + place)
        let length = literalLength(index)
        var offset = 0
        while offset &+ 8 <= length {
            guard Self.word(literal, offset) == Self.word(text, offset) else { return false }
            offset &+= 8
        }
        let rest = length &- offset
        if rest == 0 { return true }
        let difference = Self.word(literal, offset) ^ Self.word(text, offset)
        return difference &<< UInt64(truncatingIfNeeded: 64 &- rest &* 8) == 0
    }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The first place of a literal from `place` to `last`, or -1.
    @inline(__always)
    private func find(
        _ index: Int, _ line: UnsafePointer<UInt8>, _ place: Int, _ last: Int
    ) -> Int {
        if literalLength(index) == 0 { return place <= last ? place : -1 }
        let head = literalBytes[literalOffsets[index]]
        var place = place
        while place <= last {
            var mask = weir_equal_mask16(line + place, head)
            while mask != 0 {
                let found = place &+ mask.trailingZeroBitCount
                if found > last { return -1 }
                if hasLiteral(index, line, found) { return found }
                mask &= mask &- 1
            }
            place &+= 16
        }
        return -1
    }

    /// The last place of a literal from `first` to `place`, or -1.
    @inline(__always)
    private func findLast(
        _ index: Int, _ line: UnsafePointer<UInt8>, _ place: Int, _ first: Int
    ) -> Int {
        if literalLength(index) == 0 { return place >= max(first, 0) ? place : -1 }
        let head = literalBytes[literalOffsets[index]]
        let first = max(first, 0)
        var place = place
        while place &- first >= 15 {
            var mask = weir_equal_mask16(line + (place &- 15), head)
            while mask != 0 {
                let bit = 31 &- mask.leadingZeroBitCount
                let found = place &- 15 &+ bit
                if hasLiteral(index, line, found) { return found }
                mask &= ~(1 &<< UInt32(truncatingIfNeeded: bit))
            }
            place &-= 16
        }
        while place >= first {
            if line[place] == head, hasLiteral(index, line, place) { return place }
            place &-= 1
        }
        return -1
    }

    // MARK: Values

    /// Whether the values of a field are not just any plain text.
    func needsLook(_ field: Int, isSpaceFree: Bool) -> Bool {
        if shortest[field] > 0 || longest[field] < 1 << 20 { return true }
        switch runs[field] {
        case .any, .headerText: return false
        case .unspaced: return !isSpaceFree
        case .integer, .address, .table: return true
        }
    }

    /// The least length of a field's values.
    @inline(__always)
    func shortest(_ field: Int) -> Int { shortest[field] }

    /// The value's form.
    @inline(__always)
    func form(_ field: Int) -> EnvoyValueForm { forms[field] }

    /// Where the run of bytes ends that a field may hold.
    @inline(__always)
    func runEnd(_ field: Int, _ line: UnsafePointer<UInt8>, _ start: Int, _ limit: Int) -> Int {
        let table = tables + field &* 256
        var place = start
        while place < limit, table[Int(line[place])] != 0 { place &+= 1 }
        return place
    }

    /// Whether bytes can be a field's value.
    @inline(__always)
    func fits(_ field: Int, _ line: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard hasShape(field, line, start, end) else { return false }
        switch runs[field] {
        // What an integer is made of, its shape has told already.
        case .any, .integer: return true
        case .unspaced: return isClear(line, start, end) { weir_spaced_mask16($0) }
        case .headerText: return isClear(line, start, end) { weir_control_mask16($0) }
        case .address:
            return isClear(line, start, end) { weir_unaddress_mask16($0) }
                || runEnd(field, line, start, end) == end
        case .table: return runEnd(field, line, start, end) == end
        }
    }

    /// Whether no byte from `start` to `end` is in a mask.
    @inline(__always)
    private func isClear(
        _ line: UnsafePointer<UInt8>, _ start: Int, _ end: Int,
        _ mask: (UnsafePointer<UInt8>) -> UInt32
    ) -> Bool {
        var place = start
        while end &- place >= 16 {
            if mask(line + place) != 0 { return false }
            place &+= 16
        }
        let rest = UInt32(truncatingIfNeeded: max(0, end &- place))
        return rest == 0 || mask(line + place) & ((1 &<< rest) &- 1) == 0
    }

    /// Whether bytes that a field may hold can be its value as a whole.
    @inline(__always)
    func hasShape(_ field: Int, _ line: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        let length = end &- start
        if length == 1, line[start] == UInt8(ascii: "-"), !omitsEmpty { return true }
        if length == 0, omitsEmpty { return true }
        guard length >= shortest[field], length <= longest[field] else { return false }
        return runs[field] != .integer || isInteger(line + start, length)
    }

    /// Whether bytes are a whole number as JSON writes it.
    @inline(__always)
    private func isInteger(_ text: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        var place = text[0] == UInt8(ascii: "-") ? 1 : 0
        guard place < length else { return false }
        if text[place] == UInt8(ascii: "0") { return place &+ 1 == length }
        while place < length, text[place] &- 0x30 < 10 { place &+= 1 }
        return place == length
    }
}

extension EnvoyLineMatcher {
    /// Finds the fields of a record that begins at `start`, when other records may follow it on
    /// the same line, as they do when the format does not end its lines.
    /// - Returns: Where the record ends, or `nil`.
    func matchOne(_ line: UnsafePointer<UInt8>, _ start: Int, _ length: Int) -> Int? {
        guard length - start >= literalLength(0), hasLiteral(0, line, start) else { return nil }
        var place = start + literalLength(0)
        for field in 0..<count {
            starts[field] = place
            let end = runEnd(
                field, line, place, min(length, place &+ min(longest[field], length)))
            guard fits(field, line, place, end), length - end >= literalLength(field + 1),
                hasLiteral(field + 1, line, end)
            else { return nil }
            ends[field] = end
            place = end + literalLength(field + 1)
        }
        return place > start ? place : nil
    }
}
