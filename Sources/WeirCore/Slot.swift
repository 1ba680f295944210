// Hot path: one slot per field of every event.

/// What kind of text a slot points at.
public enum FieldType: UInt8, Sendable {
    /// No value here: in an edit column, the row is as it was.
    case absent = 0
    /// In an edit column: the field was taken away.
    case removed = 1
    case null = 2
    case yes = 3
    case no = 4
    /// A JSON number without fraction or exponent.
    case integer = 5
    /// A JSON number with fraction or exponent.
    case float = 6
    /// A string that reads the same escaped and unescaped: no quote, backslash or control byte.
    case plain = 7
    /// A string in JSON's escaped form.
    case escaped = 8
    /// A string, valid UTF-8, that JSON must escape.
    case raw = 9
    /// A JSON object's text.
    case object = 10
    /// A JSON array's text.
    case array = 11
}

/// A value's place: type, offset and length of its text, in 8 bytes.
///
/// Offsets with the highest bit set lie in the batch's arena, others in its block.
public struct Slot: Sendable, Equatable {
    /// The longest value that a slot can hold, in bytes.
    public static let lengthLimit = 1 << 28 - 1

    @usableFromInline static let arenaBit: UInt32 = 1 << 31

    /// Byte offset in the block, or in the arena when the highest bit is set.
    public let offset: UInt32
    @usableFromInline let typeAndLength: UInt32

    /// A slot for `length` bytes at `offset`.
    @inlinable @inline(__always)
    public init(_ type: FieldType, offset: UInt32, length: Int) {
        self.offset = offset
        typeAndLength =
            UInt32(type.rawValue) << 28 | UInt32(truncatingIfNeeded: length) & 0x0fff_ffff
    }

    /// No value.
    public static let absent = Slot(.absent, offset: 0, length: 0)
    /// A field taken away.
    public static let removed = Slot(.removed, offset: 0, length: 0)
    /// JSON's null.
    public static let null = Slot(.null, offset: 0, length: 0)

    /// The kind of text.
    @inlinable @inline(__always)
    public var type: FieldType {
        // The raw values count up from 0 as the cases do, which makes the cast what
        // `init(rawValue:)` is, without its call.
        let number = UInt8(truncatingIfNeeded: typeAndLength >> 28)
        return number <= 11 ? unsafeBitCast(number, to: FieldType.self) : .absent
    }

    /// The type's number.
    @inlinable @inline(__always)
    public var typeCode: UInt32 { typeAndLength >> 28 }

    /// Bytes of text.
    @inlinable @inline(__always)
    public var length: Int { Int(typeAndLength & 0x0fff_ffff) }

    /// Whether this is any kind of string.
    @inlinable @inline(__always)
    public var isString: Bool {
        let type = typeAndLength >> 28
        return type >= 7 && type <= 9
    }

    /// Whether there is a value, null included.
    @inlinable @inline(__always)
    public var isPresent: Bool { typeAndLength >> 28 >= 2 }
}
