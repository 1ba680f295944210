/// One item of a series in a test script: a sample, or none.
enum ScriptItem {
    case none
    case float(Double)
    case histogram(HistogramNotation.Written)
}

/// Reads the items of a series: `1 2 _ 3+1x4 {{…}}x2 stale`.
enum ScriptItems {
    /// Most items of a line.
    static let limit = 1_000_000
    /// Most counts that a line's growing histograms hold together.
    static let bucketLimit = 1 << 22

    typealias Problem = HistogramNotation.Problem

    /// Reads a line's items.
    static func parse(_ text: Substring) throws(Problem) -> [ScriptItem] {
        var items: [ScriptItem] = []
        var rest = text[...]
        while true {
            rest = rest.drop { $0 == " " || $0 == "\t" }
            if rest.isEmpty { return items }
            if rest.hasPrefix("{{") {
                try appendHistograms(&rest, to: &items)
            } else {
                let word = rest.prefix { $0 != " " && $0 != "\t" }
                rest = rest[word.endIndex...]
                try append(word, to: &items)
            }
            guard items.count <= limit else {
                throw Problem(message: "the line has more than \(limit) items")
            }
        }
    }

    private static func append(_ word: Substring, to items: inout [ScriptItem]) throws(Problem) {
        if word == "stale" { return items.append(.float(SampleMark.stale)) }
        if word == "_" { return items.append(.none) }
        if word.hasPrefix("_x") {
            return items += Array(repeating: .none, count: try count(word.dropFirst(2), word))
        }
        guard let cross = word.lastIndex(of: "x") else {
            guard let number = number(word) else {
                throw Problem(message: "`\(word)` is not a sample")
            }
            return items.append(.float(number))
        }
        let repetitions = try count(word[word.index(after: cross)...], word)
        let (start, step) = try progression(word[..<cross])
        var value = start
        for place in 0...repetitions {
            if place > 0 { value += step }
            items.append(.float(value))
        }
    }

    private static func count(_ text: Substring, _ word: Substring) throws(Problem) -> Int {
        guard let count = Int(text), 0...limit ~= count else {
            throw Problem(message: "`\(word)` is repeated how often?")
        }
        return count
    }

    /// `1+2` as the number 1 and the step 2.
    private static func progression(_ text: Substring) throws(Problem) -> (Double, Double) {
        if let number = number(text) { return (number, 0) }
        // The sign between the numbers, not that of an exponent or of the first.
        for place in text.indices.dropFirst() where text[place] == "+" || text[place] == "-" {
            let before = text[text.index(before: place)]
            if before == "e" || before == "E" { continue }
            let end = text[text.index(after: place)...]
            if let start = number(text[..<place]), let step = number(end) {
                return (start, text[place] == "-" ? -step : step)
            }
        }
        throw Problem(message: "`\(text)` is not a sample")
    }

    /// A number: decimal, or `Inf` and `NaN` in any case.
    static func number(_ text: Substring) -> Double? {
        let plain = text.first == "+" || text.first == "-" ? text.dropFirst() : text
        let sign = text.first == "-" ? -1.0 : 1.0
        switch plain.lowercased() {
        case "inf": return sign * .infinity
        case "nan": return text.first == "-" ? nil : SampleMark.ordinaryNaN
        default: break
        }
        guard let first = plain.utf8.first, first &- 0x30 < 10 || first == 0x2e,
            !plain.contains("x")
        else { return nil }
        if plain.count > 1, plain.first == "0", plain.utf8.allSatisfy({ $0 &- 0x30 < 8 }) {
            return Int64(plain, radix: 8).map { sign * Double($0) }
        }
        return Double(plain).map { sign * $0 }
    }

    // MARK: Histograms

    private static func appendHistograms(
        _ rest: inout Substring, to items: inout [ScriptItem]
    ) throws(Problem) {
        let first = try histogram(&rest)
        var step: HistogramNotation.Written?
        var isSubtraction = false
        if rest.hasPrefix("+{{") || rest.hasPrefix("-{{") {
            isSubtraction = rest.first == "-"
            rest = rest.dropFirst()
            step = try histogram(&rest)
        }
        guard rest.first == "x" else {
            if step != nil { throw Problem(message: "`x` and a count are missing") }
            return items.append(.histogram(first))
        }
        let digits = rest.dropFirst().prefix { $0.isNumber }
        let repetitions = try count(digits, rest.prefix(20))
        rest = rest[digits.endIndex...]
        var value = first
        if let step {
            let size = value.histogram.size + step.histogram.size
            guard size <= bucketLimit / (repetitions + 1) else {
                throw Problem(message: "the histograms of the line have too many buckets")
            }
        }
        for place in 0...repetitions {
            if place > 0, let step {
                guard value.histogram.schema <= step.histogram.schema else {
                    throw Problem(message: "the histogram to add has a smaller schema")
                }
                do throws(HistogramMismatch) {
                    if isSubtraction {
                        try value.histogram.subtract(step.histogram)
                    } else {
                        try value.histogram.add(step.histogram)
                    }
                } catch {
                    throw Problem(message: "the histograms do not fit together")
                }
            }
            items.append(.histogram(value))
        }
    }

    private static func histogram(
        _ rest: inout Substring
    ) throws(Problem) -> HistogramNotation.Written {
        guard let end = rest.firstRange(of: "}}") else {
            throw Problem(message: "the histogram has no end")
        }
        let inner = rest[rest.index(rest.startIndex, offsetBy: 2)..<end.lowerBound]
        rest = rest[end.upperBound...]
        return try HistogramNotation.parse(inner)
    }

    // MARK: Start timestamps

    /// Reads the start timestamps of a series, as milliseconds from each sample's time.
    static func starts(_ text: Substring) throws(Problem) -> [Int64?] {
        var starts: [Int64?] = []
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            if word == "_" {
                starts.append(nil)
            } else if word.hasPrefix("_x") {
                starts += Array(repeating: nil, count: try count(word.dropFirst(2), word))
            } else {
                try appendStarts(word, to: &starts)
            }
            guard starts.count <= limit else {
                throw Problem(message: "the line has more than \(limit) items")
            }
        }
        return starts
    }

    private static func appendStarts(
        _ word: Substring, to starts: inout [Int64?]
    ) throws(Problem) {
        var span = word
        var repetitions = 0
        if let cross = word.lastIndex(of: "x") {
            repetitions = try count(word[word.index(after: cross)...], word)
            span = word[..<cross]
        }
        var step: Int64 = 0
        if let sign = span.indices.dropFirst().last(where: { span[$0] == "+" || span[$0] == "-" }) {
            step = try signedSpan(span[sign...])
            span = span[..<sign]
        }
        var value = try signedSpan(span)
        for place in 0...repetitions {
            if place > 0 { value &+= step }
            starts.append(value)
        }
    }

    private static func signedSpan(_ text: Substring) throws(Problem) -> Int64 {
        let isNegative = text.first == "-"
        let plain = isNegative || text.first == "+" ? text.dropFirst() : text
        guard let span = DurationNotation.milliseconds(plain) else {
            throw Problem(message: "`\(text)` is not a duration")
        }
        return isNegative ? -span : span
    }
}

extension FloatHistogram {
    /// The room that it takes, in counts: its buckets, and about sixteen besides.
    fileprivate var size: Int { 16 + positiveBuckets.count + negativeBuckets.count }
}
