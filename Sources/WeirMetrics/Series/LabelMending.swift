import WeirCore

/// Makes label values what a series may keep: valid UTF-8 of at most so many bytes.
struct LabelMending {
    let byteLimit: Int
    private(set) var truncatedCount = 0
    private(set) var repairedCount = 0

    init(byteLimit: Int) {
        self.byteLimit = byteLimit
    }

    /// Whether any value is not as it must be.
    func isNeeded(by labels: borrowing LabelValues) -> Bool {
        for label in 0..<labels.count {
            let value = labels.value(label)
            if value.count > byteLimit || !isWellFormedUTF8(value) { return true }
        }
        return false
    }

    /// Writes mended values.
    mutating func mend(_ labels: borrowing LabelValues, into mended: inout LabelValues) {
        for label in 0..<labels.count {
            let value = labels.value(label)
            let isLong = value.count > byteLimit
            let part = isLong ? prefix(of: value) : value
            if isWellFormedUTF8(part) {
                mended.append(part)
            } else {
                var repaired = ByteBuffer(capacity: part.count * 3)
                appendRepairingUTF8(part, to: &repaired)
                mended.append(prefix(of: repaired.bytes))
                repairedCount += 1
            }
            if isLong { truncatedCount += 1 }
        }
    }

    /// As much of a text as there is room for, cut between two characters.
    private func prefix(of text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard text.count > byteLimit else { return text }
        var end = byteLimit
        while end > byteLimit - 4, text[end] & 0xc0 == 0x80 { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: text[..<end])
    }
}
