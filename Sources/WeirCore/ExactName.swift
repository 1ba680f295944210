/// A name as its bytes: Swift takes `é` and `e` with an accent behind it for the same, but in JSON
/// they name two fields.
struct ExactName: Hashable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: ExactName, right: ExactName) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }
}

/// Names in their order, as their bytes.
struct ExactNames: Hashable {
    let texts: [String]

    init(_ texts: [String]) {
        self.texts = texts
    }

    static func == (left: ExactNames, right: ExactNames) -> Bool {
        left.texts.count == right.texts.count
            && zip(left.texts, right.texts).allSatisfy { $0.hasSameBytes(as: $1) }
    }

    func hash(into hasher: inout Hasher) {
        for text in texts { text.hashBytes(into: &hasher) }
    }
}

extension String {
    /// Whether both are the same bytes, and not only the same characters.
    func hasSameBytes(as other: String) -> Bool {
        utf8.count == other.utf8.count && self == other && utf8.elementsEqual(other.utf8)
    }

    fileprivate func hashBytes(into hasher: inout Hasher) {
        hasher.combine(utf8.count)
        let isDone: Void? = utf8.withContiguousStorageIfAvailable { bytes in
            hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        }
        if isDone == nil { for byte in utf8 { hasher.combine(byte) } }
    }
}
