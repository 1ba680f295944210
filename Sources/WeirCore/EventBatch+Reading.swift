extension EventBatch {
    /// A slot's value, decoded; `nil` for a slot without one.
    public func value(of slot: Slot) -> Value? {
        switch slot.type {
        case .absent, .removed: nil
        case .null: .null
        case .yes: .bool(true)
        case .no: .bool(false)
        case .plain, .raw:
            withText(slot) { .string(String(decoding: $0, as: UTF8.self)) }
        case .escaped:
            withText(slot) { .string(unescapedJSON($0.bindMemory(to: UInt8.self))) }
        case .integer, .float, .object, .array:
            withText(slot) { JSONValueReader.value(of: $0) }
        }
    }
}
