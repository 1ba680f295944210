/// What a time looks like that Envoy writes: its bytes, its width, and how Weir reads it.
struct EnvoyTimeShape {
    private var bytes = ByteSet()
    private var shortest = 0
    private var longest = 0
    /// The form in strptime's sequences; `nil` when it does not tell a whole time.
    private(set) var timeFormat: String?

    /// The value's form.
    var form: EnvoyValueForm {
        var bytes = bytes
        bytes.insert(UInt8(ascii: "-"))
        // Envoy knows when a stream began, but not always when a certificate does.
        return EnvoyValueForm(bytes: bytes, shortest: shortest, longest: longest)
    }

    /// The shape of a time operator's values.
    init(_ operation: EnvoyOperator) {
        let isLocal = operation.name.hasSuffix("_LOCAL")
        let isCertificate = operation.name.contains("_CERT_V_")
        var pattern = operation.parameter ?? ""
        if pattern.isEmpty {
            pattern =
                isLocal ? "%Y-%m-%dT%H:%M:%E3S%z" : "%Y-%m-%dT%H:%M:%E3SZ"
        }
        read(Array(pattern.utf8))
        if isCertificate { shortest = min(shortest, 1) }
    }

    private mutating func read(_ pattern: [UInt8]) {
        var rest = pattern[...]
        var format = ""
        var told: Set<UInt8> = []
        var isReadable = true
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%"), let letter = rest.popFirst() else {
                add(ByteSet { $0 == byte }, 1...1)
                format += String(decoding: [byte], as: UTF8.self)
                continue
            }
            if let width = fractionWidth(letter, &rest) {
                // Digits right behind `%s` are not told apart from it.
                if format.hasSuffix("%s") { isReadable = false }
                add(.digits, width...width)
                format += "%\(width)N"
            } else if letter == UInt8(ascii: "E") {
                isReadable = readExtended(&rest, &format, &told) && isReadable
            } else if let (set, widths) = Self.sequences[letter] {
                add(set, widths)
                told.insert(letter)
                format += "%\(String(decoding: [letter], as: UTF8.self))"
            } else {
                add(.all, 0...64)
                isReadable = false
            }
        }
        let tellsDay = told.contains(UInt8(ascii: "F")) || told.contains(UInt8(ascii: "Y"))
        let tellsHour = !told.isDisjoint(with: Array("HTXRIr".utf8))
        let isWhole = told.contains(UInt8(ascii: "s")) || tellsDay && tellsHour
        if isReadable, isWhole { timeFormat = format }
    }

    private mutating func add(_ set: ByteSet, _ widths: ClosedRange<Int>) {
        bytes = bytes.union(set)
        shortest += widths.lowerBound
        longest += widths.upperBound
    }

    /// `%f`, `%3f`: digits of the second's fraction; nine unless said.
    private func fractionWidth(_ letter: UInt8, _ rest: inout ArraySlice<UInt8>) -> Int? {
        if letter == UInt8(ascii: "f") { return 9 }
        guard letter &- 0x31 < 9, rest.first == UInt8(ascii: "f") else { return nil }
        rest.removeFirst()
        return Int(letter &- 0x30)
    }

    /// `%E3S`: seconds with a fraction; `%Ez`: a zone with a colon.
    private mutating func readExtended(
        _ rest: inout ArraySlice<UInt8>, _ format: inout String, _ told: inout Set<UInt8>
    ) -> Bool {
        guard let letter = rest.popFirst() else { return false }
        if letter == UInt8(ascii: "z") {
            add(ByteSet("+-:0123456789"), 6...6)
            format += "%z"
            return true
        }
        guard letter &- 0x30 < 10, rest.first == UInt8(ascii: "S") else {
            add(.all, 0...64)
            return false
        }
        rest.removeFirst()
        let width = Int(letter &- 0x30)
        add(.digits.union(ByteSet(".")), width == 0 ? 2...2 : 3 + width...3 + width)
        format += width == 0 ? "%S" : "%S.%\(width)N"
        told.insert(UInt8(ascii: "S"))
        return true
    }

    private static let sequences: [UInt8: (ByteSet, ClosedRange<Int>)] = {
        let digits = ByteSet.digits
        let letters = ByteSet.letters
        let clock = digits.union(ByteSet(":"))
        let list: [(StaticString, ByteSet, ClosedRange<Int>)] = [
            ("Y", digits, 4...4), ("mdHMSIyCUVWg", digits, 2...2), ("uw", digits, 1...1),
            ("j", digits, 3...3),
            ("ekl", digits.union(ByteSet(" ")), 2...2), ("G", digits, 4...4),
            ("abh", letters, 3...3), ("B", letters, 3...9), ("A", letters, 6...9),
            ("s", digits, 1...19), ("z", ByteSet("+-0123456789"), 5...5), ("Z", letters, 1...6),
            ("T", clock, 8...8), ("X", clock, 8...8), ("R", clock, 5...5),
            ("F", digits.union(ByteSet("-")), 10...10), ("D", digits.union(ByteSet("/")), 8...8),
            ("x", digits.union(ByteSet("/")), 8...8), ("p", letters, 2...2),
            ("c", clock.union(letters).union(ByteSet(" ")), 24...24),
            ("n", ByteSet("\n"), 1...1), ("t", ByteSet("\t"), 1...1), ("%", ByteSet("%"), 1...1),
        ]
        var sequences: [UInt8: (ByteSet, ClosedRange<Int>)] = [:]
        for (keys, set, widths) in list {
            for place in 0..<keys.utf8CodeUnitCount {
                sequences[keys.utf8Start[place]] = (set, widths)
            }
        }
        return sequences
    }()
}
