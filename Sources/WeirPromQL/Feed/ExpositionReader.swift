// Hot path: once per line of a scrape.

/// Why the text of a scrape is refused.
public struct ExpositionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The line, from 1.
    public var line: Int
    /// What is wrong with it.
    public var message: String

    /// Line and reason.
    public var description: String { "line \(line): \(message)" }
}

/// Reads what a target shows of its metrics line by line: Prometheus' text format 0.0.4, or OpenMetrics 1.0
/// (prometheus.io/docs/instrumenting/exposition_formats, openmetrics.io).
struct ExpositionReader {
    /// A line that says something.
    enum Entry {
        case type(metric: String, MetricMetadata.Kind)
        case help(metric: String, String)
        case unit(metric: String, String)
        case sample(Sample)
        /// OpenMetrics' last line.
        case end
    }

    /// A sample as it stands in the text.
    struct Sample {
        /// The name and the labels, as they are written.
        var series: Range<Int>
        var value: Double
        /// Its own time in milliseconds, if it has one.
        var time: Int64?
        /// Where an exemplar's labels are, its value and its time.
        var exemplar: (labels: Range<Int>, value: Double, time: Int64?)?
    }

    private let bytes: UnsafeRawBufferPointer
    private let isOpenMetrics: Bool
    private var place = 0
    /// The line at hand, from 1.
    private(set) var line = 0
    private var hasEnded = false

    init(_ bytes: UnsafeRawBufferPointer, isOpenMetrics: Bool) {
        self.bytes = bytes
        self.isOpenMetrics = isOpenMetrics
    }

    /// A mistake in the line at hand.
    func error(_ message: String) -> ExpositionError {
        ExpositionError(line: line, message: message)
    }

    /// The next line that says something; `nil` at the end.
    mutating func next() throws(ExpositionError) -> Entry? {
        while place < bytes.count {
            line += 1
            if hasEnded { throw error("there is more behind `# EOF`") }
            let start = place
            while place < bytes.count, bytes[place] != 0x0a { place &+= 1 }
            var scan = LineScan(bytes: bytes, place: start, end: place, line: line)
            place &+= 1
            scan.skipBlanks()
            if scan.isAtEnd { continue }
            if scan.byte == UInt8(ascii: "#") {
                if let entry = try comment(&scan) { return entry }
                continue
            }
            return .sample(try sample(&scan))
        }
        if isOpenMetrics, !hasEnded {
            line += 1
            throw error("the text does not end with `# EOF`: it was cut")
        }
        return nil
    }

    // MARK: Comments

    private mutating func comment(_ scan: inout LineScan) throws(ExpositionError) -> Entry? {
        scan.place &+= 1
        scan.skipBlanks()
        let word = scan.word()
        if isOpenMetrics, word == "EOF" {
            hasEnded = true
            return .end
        }
        guard word == "TYPE" || word == "HELP" || word == "UNIT" && isOpenMetrics else {
            return nil
        }
        scan.skipBlanks()
        let metric = try scan.metricName()
        scan.skipBlanks()
        switch word {
        case "TYPE":
            let text = scan.word()
            guard let kind = Self.kind(text, isOpenMetrics) else {
                throw error("there is no type `\(text)`")
            }
            return .type(metric: metric, kind)
        case "HELP": return .help(metric: metric, scan.rest(unescaped: true))
        default: return .unit(metric: metric, scan.rest(unescaped: false))
        }
    }

    private static func kind(_ text: String, _ isOpenMetrics: Bool) -> MetricMetadata.Kind? {
        if text == "untyped", !isOpenMetrics { return .unknown }
        return MetricMetadata.Kind(rawValue: text)
    }

    // MARK: Samples

    private func sample(_ scan: inout LineScan) throws(ExpositionError) -> Sample {
        let series = try scan.series()
        scan.skipBlanks()
        var sample = Sample(series: series, value: try scan.number())
        scan.skipBlanks()
        if scan.isAtEnd { return sample }
        if scan.byte != UInt8(ascii: "#") {
            sample.time = try time(&scan)
            scan.skipBlanks()
            if scan.isAtEnd { return sample }
        }
        guard isOpenMetrics, scan.byte == UInt8(ascii: "#") else {
            throw error("there is more behind the sample")
        }
        scan.place &+= 1
        scan.skipBlanks()
        let labels = try scan.braces()
        scan.skipBlanks()
        let value = try scan.number()
        scan.skipBlanks()
        let time = scan.isAtEnd ? nil : try time(&scan)
        guard scan.isAtEnd else { throw error("there is more behind the exemplar") }
        sample.exemplar = (labels, value, time)
        return sample
    }

    /// A time: milliseconds, or OpenMetrics' seconds.
    private func time(_ scan: inout LineScan) throws(ExpositionError) -> Int64 {
        let number = try scan.number()
        let milliseconds = isOpenMetrics ? (number * 1_000).rounded(.down) : number
        guard milliseconds.isFinite, abs(milliseconds) < 9e15,
            isOpenMetrics || milliseconds.rounded() == milliseconds
        else { throw error("this is no time") }
        return Int64(milliseconds)
    }
}

/// One line, read from the left.
private struct LineScan {
    let bytes: UnsafeRawBufferPointer
    var place: Int
    let end: Int
    let line: Int

    var isAtEnd: Bool { place >= end }
    var byte: UInt8 { bytes[place] }

    func error(_ message: String) -> ExpositionError {
        ExpositionError(line: line, message: message)
    }

    mutating func skipBlanks() {
        while place < end, byte == 0x20 || byte == 0x09 || byte == 0x0d { place &+= 1 }
    }

    /// Bytes up to a blank.
    mutating func wordRange() -> Range<Int> {
        let start = place
        while place < end, byte != 0x20, byte != 0x09, byte != 0x0d { place &+= 1 }
        return start..<place
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    mutating func word() -> String { text(wordRange()) }

    /// What is left, perhaps with `\\` and `\n` restored.
    mutating func rest(unescaped: Bool) -> String {
        var last = end
        if last > place, bytes[last - 1] == 0x0d { last -= 1 }
        defer { place = end }
        let range = place..<last
        return unescaped ? ExpositionLabels.unescaped(bytes, range) : text(range)
    }

    /// A metric's name, which may stand in quotes.
    mutating func metricName() throws(ExpositionError) -> String {
        guard !isAtEnd, byte == UInt8(ascii: "\"") else {
            let name = word()
            if name.isEmpty { throw error("a metric's name is missing") }
            return name
        }
        let start = place + 1
        try skipQuoted()
        return ExpositionLabels.unescaped(bytes, start..<(place - 1))
    }

    /// The name and the labels of a sample.
    mutating func series() throws(ExpositionError) -> Range<Int> {
        let start = place
        while place < end, byte != 0x20, byte != 0x09, byte != UInt8(ascii: "{") {
            guard Self.isName(byte, isFirst: place == start) else {
                throw error("a metric's name cannot have `\(text(place..<(place + 1)))`")
            }
            place &+= 1
        }
        // A blank before the braces is allowed.
        let name = place
        skipBlanks()
        guard !isAtEnd, byte == UInt8(ascii: "{") else {
            place = name
            if name == start { throw error("a metric's name is missing") }
            return start..<name
        }
        _ = try braces()
        return start..<place
    }

    /// The bytes from a brace to the one that closes it.
    mutating func braces() throws(ExpositionError) -> Range<Int> {
        guard !isAtEnd, byte == UInt8(ascii: "{") else { throw error("expected `{`") }
        let start = place
        place &+= 1
        while place < end {
            if byte == UInt8(ascii: "\"") {
                try skipQuoted()
                continue
            }
            place &+= 1
            if bytes[place - 1] == UInt8(ascii: "}") { return start..<place }
        }
        throw error("the labels have no `}`")
    }

    private mutating func skipQuoted() throws(ExpositionError) {
        place &+= 1
        while place < end, byte != UInt8(ascii: "\"") {
            place &+= byte == UInt8(ascii: "\\") ? 2 : 1
        }
        guard place < end else { throw error("a quote has no end") }
        place &+= 1
    }

    private static func isName(_ byte: UInt8, isFirst: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "_"), UInt8(ascii: ":"):
            true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): !isFirst
        default: false
        }
    }

    /// A number as Go reads it.
    mutating func number() throws(ExpositionError) -> Double {
        let range = wordRange()
        if range.isEmpty { throw error("a number is missing") }
        if let plain = Self.plain(UnsafeRawBufferPointer(rebasing: bytes[range])) { return plain }
        let word = text(range)
        switch word.lowercased() {
        case "nan", "+nan", "-nan": return SampleMark.ordinaryNaN
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        default: break
        }
        guard let value = Double(word), value.isFinite else {
            throw error("`\(word.prefix(40))` is no number")
        }
        return value
    }

    /// Digits with at most one point, few enough to be exact.
    private static func plain(_ bytes: UnsafeRawBufferPointer) -> Double? {
        guard bytes.count <= 16 else { return nil }
        var number: Int64 = 0
        var scale = 1.0
        var hasPoint = false
        var digitCount = 0
        for (place, byte) in bytes.enumerated() {
            if byte &- 0x30 < 10 {
                number = number &* 10 &+ Int64(byte &- 0x30)
                digitCount += 1
                if hasPoint { scale *= 10 }
            } else if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else if byte != UInt8(ascii: "-") || place > 0 {
                return nil
            }
        }
        guard digitCount > 0, digitCount <= 15 else { return nil }
        let value = Double(number) / scale
        return bytes[0] == UInt8(ascii: "-") ? -value : value
    }
}
