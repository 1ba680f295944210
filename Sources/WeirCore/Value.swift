/// A value of a record's field, decoded: what the slow road and the edges work with.
///
/// The hot path keeps values as bytes in an ``EventBatch``.
public indirect enum Value: Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// A number with a fraction or an exponent.
    case float(Double)
    /// A number beyond 64 bits, as it was written.
    case number(String)
    case string(String)
    case array([Value])
    case object(Record)
}

/// Named fields in the order in which they came; names are unique.
public struct Record: Equatable, Sendable {
    /// The fields in order.
    public private(set) var fields: [(key: String, value: Value)] = []

    /// A record without fields.
    public init() {}

    /// A record of the given fields; of several with one name the last one stays, at the first's place.
    public init(_ fields: [(key: String, value: Value)]) {
        for (key, value) in fields { self[key] = value }
    }

    /// A record of fields whose names are known to be unique.
    init(unique fields: [(key: String, value: Value)]) {
        self.fields = fields
    }

    /// The value of a field; setting `nil` removes it, setting a new name appends it.
    public subscript(key: String) -> Value? {
        get { fields.first { $0.key.hasSameBytes(as: key) }?.value }
        set {
            let index = fields.firstIndex { $0.key.hasSameBytes(as: key) }
            switch (index, newValue) {
            case (let index?, let value?): fields[index].value = value
            case (let index?, nil): fields.remove(at: index)
            case (nil, let value?): fields.append((key, value))
            case (nil, nil): break
            }
        }
    }

    public static func == (left: Record, right: Record) -> Bool {
        left.fields.count == right.fields.count
            && left.fields.allSatisfy { right[$0.key] == $0.value }
    }
}

extension Record: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, Value)...) {
        self.init(elements.map { (key: $0.0, value: $0.1) })
    }
}

extension Value {
    /// The text of a string.
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    /// The elements of an array.
    public var array: [Value]? { if case .array(let values) = self { values } else { nil } }
    /// The fields of an object.
    public var object: Record? { if case .object(let record) = self { record } else { nil } }
    /// A whole number.
    public var integer: Int64? { if case .integer(let number) = self { number } else { nil } }
    /// A yes or no.
    public var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
}
