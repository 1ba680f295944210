import Glibc

/// What leads from a value to one event behind it: the id of a trace, or of a request.
public struct Exemplar {
    /// The name of the exemplar's label.
    public enum Label: UInt8, Sendable {
        case traceID = 1
        case requestID = 2

        /// The name as it is shown.
        public var name: StaticString {
            switch self {
            case .traceID: "trace_id"
            case .requestID: "request_id"
            }
        }
    }

    /// What the text is.
    public var label: Label
    /// The id. One that is longer than ``ExemplarPool/textByteLimit`` or holds anything but letters, digits
    /// and `-_.:` is not kept.
    public var text: UnsafeRawBufferPointer
    /// When the event happened, in milliseconds since 1970.
    public var milliseconds: Int64

    /// An exemplar by its parts.
    @inline(__always)
    public init(_ label: Label, _ text: UnsafeRawBufferPointer, milliseconds: Int64) {
        self.label = label
        self.text = text
        self.milliseconds = milliseconds
    }
}

/// The exemplars of a table: made for a series only when it has its first one.
struct ExemplarPool: ~Copyable {
    /// The longest id: a UUID is 36 bytes. OpenMetrics allows 128 characters with the label's name.
    static let textByteLimit = 43
    /// How many exemplars a native histogram keeps.
    static let nativeCount = 4

    /// One exemplar in 64 bytes.
    struct Slot {
        var value: Double
        var milliseconds: Int64
        /// `Exemplar.Label`, 0 in an empty slot.
        var label: UInt8
        var length: UInt8
        var text: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt32)
    }

    /// By how many exemplars a series has; the number in a row is an index into these.
    private var rows: [UnsafeMutablePointer<Slot>?] = [nil]
    private var free: [UInt32] = []
    private(set) var byteCount = 0

    init() {}

    deinit { for row in rows { row?.deallocate() } }

    /// Bytes allocated by the pool.
    var allocatedByteCount: Int { byteCount + rows.capacity * 8 + free.capacity * 4 }

    /// New empty exemplars.
    mutating func make(count: Int) -> UInt32 {
        let row = UnsafeMutablePointer<Slot>.allocate(capacity: count)
        row.initialize(
            repeating: Slot(
                value: 0, milliseconds: 0, label: 0, length: 0, text: (0, 0, 0, 0, 0, 0)),
            count: count)
        byteCount += count * MemoryLayout<Slot>.stride
        if let index = free.popLast() {
            rows[Int(index)] = row
            return index
        }
        rows.append(row)
        return UInt32(rows.count - 1)
    }

    /// Forgets the exemplars of a row.
    mutating func release(_ index: UInt32, count: Int) {
        guard index > 0 else { return }
        rows[Int(index)]?.deallocate()
        rows[Int(index)] = nil
        byteCount -= count * MemoryLayout<Slot>.stride
        free.append(index)
    }

    /// The exemplars of a row.
    @inline(__always)
    func slots(_ index: UInt32) -> UnsafeMutablePointer<Slot>? { rows[Int(index)] }

    /// Whether an id can be shown as it stands.
    @inline(__always)
    static func isSound(_ text: UnsafeRawBufferPointer) -> Bool {
        guard !text.isEmpty, text.count <= textByteLimit else { return false }
        for byte in text {
            let isLetter = (byte | 0x20) &- 0x61 < 26
            guard isLetter || byte &- 0x2d < 14 || byte == 0x5f, byte != 0x2f else { return false }
        }
        return true
    }

    /// Puts an exemplar in a slot.
    @inline(__always)
    static func set(
        _ slot: UnsafeMutablePointer<Slot>, to exemplar: Exemplar, value: Double
    ) {
        slot.pointee.value = value
        slot.pointee.milliseconds = exemplar.milliseconds
        slot.pointee.label = exemplar.label.rawValue
        slot.pointee.length = UInt8(truncatingIfNeeded: exemplar.text.count)
        guard let from = exemplar.text.baseAddress else { return }
        withUnsafeMutableBytes(of: &slot.pointee.text) { room in
            if let to = room.baseAddress { memcpy(to, from, min(exemplar.text.count, room.count)) }
        }
    }
}
