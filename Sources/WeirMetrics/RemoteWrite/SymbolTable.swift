// Hot path of remote write: once per label of a label set.
import WeirCore

/// The texts of a request of version 2, each once: the rest of the request names them by number.
struct SymbolTable: ~Copyable {
    private struct Entry {
        var start: Int
        var count: Int
        var hash: UInt64
    }

    /// `Request.symbols`.
    private static let field = 4

    /// The field of every symbol, one behind the other; the first is empty, as the protocol has it.
    private(set) var encoded = ByteBuffer(capacity: 16 * 1024)
    private var entries: [Entry] = []
    /// The number of an entry and one, by hash.
    private var slots = [UInt32](repeating: 0, count: 1024)

    init() { reset() }

    /// How many texts there are.
    var count: Int { entries.count }

    /// Forgets all texts but the empty one.
    mutating func reset() {
        encoded.truncate(to: 0)
        entries.removeAll(keepingCapacity: true)
        for index in slots.indices { slots[index] = 0 }
        _ = number(of: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// The number of a text.
    mutating func number(of text: UnsafeRawBufferPointer) -> UInt64 {
        let hash = Self.hash(text)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count &- 1)
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot]) &- 1]
            if entry.hash == hash, entry.count == text.count, isEqual(entry, text) {
                return UInt64(slots[slot]) &- 1
            }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        encoded.append(field: Self.field, byteCount: text.count)
        entries.append(Entry(start: encoded.count, count: text.count, hash: hash))
        encoded.append(text)
        slots[slot] = UInt32(truncatingIfNeeded: entries.count)
        if entries.count * 2 > slots.count { grow() }
        return UInt64(entries.count) &- 1
    }

    /// The number of a text.
    mutating func number(of text: [UInt8]) -> UInt64 {
        text.withUnsafeBytes { number(of: $0) }
    }

    private func isEqual(_ entry: Entry, _ text: UnsafeRawBufferPointer) -> Bool {
        let end = entry.start &+ entry.count
        return encoded.bytes[entry.start..<end].elementsEqual(text)
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 4)
        for (index, entry) in entries.enumerated() {
            var slot = Int(truncatingIfNeeded: entry.hash) & (slots.count &- 1)
            while slots[slot] != 0 { slot = (slot &+ 1) & (slots.count &- 1) }
            slots[slot] = UInt32(truncatingIfNeeded: index + 1)
        }
    }

    /// A hash with a key of this process: label values come from outside.
    private static func hash(_ text: UnsafeRawBufferPointer) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(bytes: text)
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }
}
