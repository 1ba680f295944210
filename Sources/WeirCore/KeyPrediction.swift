// Hot path: once per field of every JSON log line.
import Glibc

/// The keys of the former line, in order, as they stand in its text: `"key":`.
///
/// A line that hits every prediction in order has the former line's shape, which needs no look-up.
/// A line that leaves keys out (Envoy's `omit_empty_values`) still hits the others; which it left
/// out is kept as a bit set that names the shape.
final class KeyPrediction {
    /// Most keys that are predicted.
    static let keyLimit = 64
    private static let cellSize = 64
    /// Longest `"key":` that is predicted.
    private static let textLimit = 56

    private let cells: UnsafeMutablePointer<UInt8>
    private let lengths: UnsafeMutablePointer<Int>
    private var count = 0
    private var next = 0
    private var seen: UInt64 = 0
    /// A bit for each predicted key that the object under construction has.
    var seenKeys: UInt64 { seen }
    private var missed = false
    private var known: [(keys: UInt64, shape: Shape)] = []

    init() {
        cells = .allocate(capacity: Self.keyLimit * Self.cellSize)
        cells.initialize(repeating: 0, count: Self.keyLimit * Self.cellSize)
        lengths = .allocate(capacity: Self.keyLimit + 1)
        lengths.initialize(repeating: 0, count: Self.keyLimit + 1)
    }

    deinit {
        cells.deallocate()
        lengths.deallocate()
    }

    /// Before the first key of an object.
    @inline(__always)
    func begin() {
        next = 0
        seen = 0
        missed = false
    }

    /// The length of the `"key":` at `p` if it is the one expected here, or one expected soon;
    /// otherwise 0. Reads at most 64 bytes, which batch memory always has.
    @inline(__always)
    func match(_ p: UnsafePointer<UInt8>) -> Int {
        let length = lengths[next]
        if length != 0, sameBytes(p, cells + (next &* Self.cellSize), length) {
            seen |= 1 &<< UInt64(truncatingIfNeeded: next)
            next &+= 1
            return length
        }
        return missed || count == 0 ? 0 : matchLater(p)
    }

    /// Looks for the key further on in the former line: keys in between were left out.
    @inline(never)
    private func matchLater(_ p: UnsafePointer<UInt8>) -> Int {
        var place = next + 1
        while place < count {
            let length = lengths[place]
            if length != 0, sameBytes(p, cells + place * Self.cellSize, length) {
                seen |= 1 << UInt64(place)
                next = place + 1
                return length
            }
            place += 1
        }
        return 0
    }

    /// Notes that a key was not predicted.
    @inline(__always)
    func miss() { missed = true }

    /// The shape of the object that just ended, when every one of its keys was predicted.
    @inline(__always)
    func shape() -> Shape? {
        if missed { return nil }
        for entry in known where entry.keys == seen { return entry.shape }
        return nil
    }

    /// Takes the keys of the object that just ended as the next prediction, unless it only left
    /// keys out, in which case its shape is kept beside the others.
    func learn(_ keys: [(offset: Int, length: Int)], base: UnsafePointer<UInt8>, shape: Shape) {
        if !missed, count > 0 {
            if known.count >= 16 { known.removeLast(8) }
            known.append((seen, shape))
            return
        }
        forget()
        guard keys.count <= Self.keyLimit,
            keys.allSatisfy({ $0.length + 3 <= Self.textLimit })
        else { return }
        for (index, key) in keys.enumerated() {
            let text = base + (key.offset - 1)
            let length = key.length + 3
            // Only a colon right behind the key's quote is predicted: such lines can be spliced.
            guard text[length - 1] == UInt8(ascii: ":") else { return forget() }
            memcpy(cells + index * Self.cellSize, text, length)
            lengths[index] = length
        }
        count = keys.count
        let all: UInt64 = count == 64 ? ~0 : (1 << UInt64(count)) - 1
        known.append((all, shape))
    }

    /// Predicts nothing.
    func forget() {
        lengths.update(repeating: 0, count: Self.keyLimit + 1)
        known.removeAll(keepingCapacity: true)
        count = 0
    }
}

/// Whether `length` bytes are equal; both sides are readable up to 8 bytes further.
@inline(__always)
func sameBytes(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ length: Int) -> Bool {
    let left = UnsafeRawPointer(a)
    let right = UnsafeRawPointer(b)
    var place = 0
    while place &+ 8 <= length {
        if left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            != right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        {
            return false
        }
        place &+= 8
    }
    let rest = length &- place
    if rest == 0 { return true }
    let difference =
        left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        ^ right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
    return difference &<< UInt64(truncatingIfNeeded: 64 &- rest &* 8) == 0
}
