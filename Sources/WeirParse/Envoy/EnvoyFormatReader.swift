/// Why a format string is refused, as Envoy itself refuses it.
public struct EnvoyFormatError: Error, Equatable, Sendable {
    /// What is wrong with it.
    public var message: String
    /// How to mend it.
    public var help: String
}

/// Takes a format string apart by Envoy's own rules (`%NAME(parameter):LENGTH%`, `%%`).
struct EnvoyFormatReader {
    enum Piece: Equatable {
        case literal([UInt8])
        case operation(EnvoyOperator)
    }

    private let bytes: [UInt8]
    private var place = 0
    private var literal: [UInt8] = []
    private var pieces: [Piece] = []

    private init(_ text: String) { bytes = Array(text.utf8) }

    /// The pieces of a format string.
    static func read(_ text: String) throws(EnvoyFormatError) -> [Piece] {
        var reader = EnvoyFormatReader(text)
        return try reader.read()
    }

    private mutating func read() throws(EnvoyFormatError) -> [Piece] {
        while place < bytes.count {
            guard bytes[place] == UInt8(ascii: "%") else {
                literal.append(bytes[place])
                place += 1
                continue
            }
            // Envoy tests for an escaped percent sign before it tests for an operator.
            if place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "%") {
                literal.append(UInt8(ascii: "%"))
                place += 2
                continue
            }
            let start = place
            guard let operation = readOperator() else {
                throw EnvoyFormatError(
                    message: "there is no operator at byte \(start + 1) of the format",
                    help: "write `%NAME%`, `%NAME(parameter)%` or `%NAME(parameter):LENGTH%`; "
                        + "a percent sign is `%%`")
            }
            try EnvoyOperatorRules.check(operation)
            endLiteral()
            pieces.append(.operation(operation))
        }
        endLiteral()
        return pieces
    }

    private mutating func endLiteral() {
        guard !literal.isEmpty else { return }
        pieces.append(.literal(literal))
        literal = []
    }

    private mutating func readOperator() -> EnvoyOperator? {
        var end = place + 1
        let nameStart = end
        while end < bytes.count, isNameByte(bytes[end]) { end += 1 }
        guard end > nameStart, end < bytes.count else { return nil }
        let name = String(decoding: bytes[nameStart..<end], as: UTF8.self)
        var parameter: String?
        if bytes[end] == UInt8(ascii: "(") {
            // The parameter runs to the first `)` behind which the operator can end.
            let parameterStart = end + 1
            var close = parameterStart
            while close < bytes.count,
                bytes[close] != UInt8(ascii: ")") || readEnd(close + 1) == nil
            {
                if bytes[close] == UInt8(ascii: "\n") { return nil }
                close += 1
            }
            guard close < bytes.count else { return nil }
            parameter = String(decoding: bytes[parameterStart..<close], as: UTF8.self)
            end = close + 1
        }
        guard let (limit, next) = readEnd(end) else { return nil }
        let text = String(decoding: bytes[place..<next], as: UTF8.self)
        place = next
        return EnvoyOperator(text: text, name: name, parameter: parameter, limit: limit)
    }

    /// Reads `%` or `:LENGTH%`, and gives the length and where the operator ends.
    private func readEnd(_ start: Int) -> (limit: Int?, next: Int)? {
        guard start < bytes.count else { return nil }
        if bytes[start] == UInt8(ascii: "%") { return (nil, start + 1) }
        guard bytes[start] == UInt8(ascii: ":") else { return nil }
        var end = start + 1
        while end < bytes.count, bytes[end] &- 0x30 < 10 { end += 1 }
        guard end > start + 1, end < bytes.count, bytes[end] == UInt8(ascii: "%"),
            let limit = Int(String(decoding: bytes[start + 1..<end], as: UTF8.self))
        else { return nil }
        return (limit, end + 1)
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        byte &- 0x41 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "_")
    }
}
