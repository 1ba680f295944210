/// A native histogram as test scripts write it: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`.
enum HistogramNotation {
    /// Why a text is no histogram.
    struct Problem: Error {
        var message: String
    }

    /// A histogram, and whether what it says of resets was written.
    struct Written {
        var histogram: FloatHistogram
        var hasHint: Bool
    }

    /// Reads what stands between the double braces.
    static func parse(_ text: Substring) throws(Problem) -> Written {
        var written = Written(histogram: FloatHistogram(), hasHint: false)
        var offset = 0
        var negativeOffset = 0
        var positive: [Double] = []
        var negative: [Double] = []
        var rest = text[...]
        while true {
            rest = rest.drop { $0 == " " || $0 == "\t" }
            if rest.isEmpty { break }
            guard let colon = rest.firstIndex(of: ":") else {
                throw Problem(message: "`\(rest)` is no `key:value` of a histogram")
            }
            let key = rest[..<colon]
            rest = rest[rest.index(after: colon)...]
            let value: Substring
            if rest.first == "[" {
                guard let end = rest.firstIndex(of: "]") else {
                    throw Problem(message: "the list of `\(key)` has no end")
                }
                value = rest[rest.index(after: rest.startIndex)..<end]
                rest = rest[rest.index(after: end)...]
            } else {
                value = rest.prefix { $0 != " " && $0 != "\t" }
                rest = rest[value.endIndex...]
            }
            switch key {
            case "schema": written.histogram.schema = Int32(clamping: try whole(value, key))
            case "sum": written.histogram.sum = try number(value)
            case "count": written.histogram.count = try number(value)
            case "z_bucket": written.histogram.zeroCount = try number(value)
            case "z_bucket_w": written.histogram.zeroThreshold = try number(value)
            case "custom_values": written.histogram.customBounds = try numbers(value)
            case "buckets": positive = try numbers(value)
            case "n_buckets": negative = try numbers(value)
            case "offset": offset = try whole(value, key)
            case "n_offset": negativeOffset = try whole(value, key)
            case "counter_reset_hint":
                guard let hint = FloatHistogram.CounterResetHint(rawValue: String(value)) else {
                    throw Problem(message: "`\(value)` is no counter_reset_hint")
                }
                written.histogram.counterResetHint = hint
                written.hasHint = true
            default: throw Problem(message: "`\(key)` is no key of a histogram")
            }
        }
        (written.histogram.positiveSpans, written.histogram.positiveBuckets) = run(positive, offset)
        (written.histogram.negativeSpans, written.histogram.negativeBuckets) = run(
            negative, negativeOffset)
        do throws(HistogramProblem) {
            try written.histogram.checkLayout()
        } catch {
            throw Problem(message: "the histogram is refused: \(error)")
        }
        return written
    }

    private static func run(
        _ buckets: [Double], _ offset: Int
    ) -> ([FloatHistogram.Span], [Double]) {
        if buckets.isEmpty { return ([], []) }
        return (
            [
                FloatHistogram.Span(
                    offset: Int32(clamping: offset), length: UInt32(clamping: buckets.count))
            ], buckets
        )
    }

    private static func whole(_ text: Substring, _ key: Substring) throws(Problem) -> Int {
        guard let number = Int(text), -1 << 20...1 << 20 ~= number else {
            throw Problem(message: "`\(key)` is not a whole number: `\(text)`")
        }
        return number
    }

    private static func numbers(_ text: Substring) throws(Problem) -> [Double] {
        var numbers: [Double] = []
        for part in text.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            numbers.append(try number(part))
        }
        return numbers
    }

    /// A number as scripts write it.
    static func number(_ text: Substring) throws(Problem) -> Double {
        guard let number = ScriptItems.number(text) else {
            throw Problem(message: "`\(text)` is not a number")
        }
        return number
    }
}
