// Hot path of the scrape: once per line.
import WeirCore

/// Writes the two text formats: Prometheus' own (version 0.0.4) and OpenMetrics 1.0.0.
struct TextWriter: ~Copyable {
    let isOpenMetrics: Bool
    private var labels = ByteBuffer(capacity: 1024)

    init(isOpenMetrics: Bool) {
        self.isOpenMetrics = isOpenMetrics
    }

    // MARK: Heads

    /// Appends what stands above a metric's series.
    func appendHead(of family: borrowing ShownFamily, to buffer: inout ByteBuffer) {
        appendHead("# HELP ", family, to: &buffer)
        appendHelp(family.help, to: &buffer)
        appendHead("\n# TYPE ", family, to: &buffer)
        buffer.append(typeName(family))
        if isOpenMetrics, hasUnit(family) {
            appendHead("\n# UNIT ", family, to: &buffer)
            buffer.append(family.unit)
        }
        buffer.append("\n")
    }

    /// `# WORD name `: OpenMetrics names a counter without its `_total`.
    private func appendHead(
        _ word: StaticString, _ family: borrowing ShownFamily, to buffer: inout ByteBuffer
    ) {
        buffer.append(word)
        appendBase(family, to: &buffer)
        buffer.append(" ")
    }

    private func appendBase(_ family: borrowing ShownFamily, to buffer: inout ByteBuffer) {
        let isShort = isOpenMetrics && isCounter(family) && endsInTotal(family)
        buffer.append(isShort ? Array(family.name.dropLast(6)) : family.name)
    }

    private func isCounter(_ family: borrowing ShownFamily) -> Bool {
        switch family.kind {
        case .counter, .floatCounter: true
        case .gauge, .summary, .histogram, .nativeHistogram: false
        }
    }

    private func endsInTotal(_ family: borrowing ShownFamily) -> Bool {
        family.name.count > 6 && family.name.suffix(6).elementsEqual("_total".utf8)
    }

    private func hasUnit(_ family: borrowing ShownFamily) -> Bool {
        guard !family.unit.isEmpty else { return false }
        let isShort = isCounter(family) && endsInTotal(family)
        let base = isShort ? family.name.dropLast(6) : family.name[...]
        return base.suffix(family.unit.utf8.count + 1).elementsEqual("_\(family.unit)".utf8)
    }

    private func typeName(_ family: borrowing ShownFamily) -> StaticString {
        switch family.kind {
        case .counter, .floatCounter:
            // OpenMetrics has no counters of other names; client libraries write the same.
            isOpenMetrics && !endsInTotal(family) ? "unknown" : "counter"
        case .gauge: "gauge"
        case .summary: "summary"
        case .histogram, .nativeHistogram: "histogram"
        }
    }

    private func appendHelp(_ help: String, to buffer: inout ByteBuffer) {
        for byte in help.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): buffer.append("\\\\")
            case UInt8(ascii: "\n"): buffer.append("\\n")
            case UInt8(ascii: "\"") where isOpenMetrics: buffer.append("\\\"")
            default: buffer.append(byte: byte)
            }
        }
    }

    // MARK: Series

    /// Appends a series' lines.
    mutating func append(
        _ series: borrowing ShownSeries, of family: borrowing ShownFamily,
        to buffer: inout ByteBuffer
    ) {
        prepareLabels(series, family)
        switch family.kind {
        case .counter:
            appendName(family, "", to: &buffer)
            appendDecimal(series.count, to: &buffer)
            appendCounterEnd(series, family, to: &buffer)
        case .floatCounter:
            appendName(family, "", to: &buffer)
            append(series.number, to: &buffer)
            appendCounterEnd(series, family, to: &buffer)
        case .gauge:
            appendName(family, "", to: &buffer)
            append(series.number, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\n"))
        case .summary: appendTotals(series, family, to: &buffer)
        case .histogram:
            var total: UInt64 = 0
            for bucket in family.bounds.indices {
                total &+= series.counts[bucket]
                appendBucket(bucket, total, series, family, to: &buffer)
            }
            appendTotals(series, family, to: &buffer)
        case .nativeHistogram:
            // Neither text format can show its buckets.
            appendBucketHead(0, series.count, family, to: &buffer)
            buffer.append("\n")
            appendTotals(series, family, to: &buffer)
        }
    }

    /// The text of the labels, once for all lines of a series.
    private mutating func prepareLabels(
        _ series: borrowing ShownSeries, _ family: borrowing ShownFamily
    ) {
        labels.truncate(to: 0)
        var headStart = 0
        let heads = family.labelHeads.pointer
        for label in series.labels.indices {
            let headEnd = family.labelHeadEnds[label]
            labels.append(heads + headStart, headEnd &- headStart)
            headStart = headEnd
            let value = series.labels[label]
            if value.needsEscape {
                appendEscaped(value.bytes)
            } else {
                labels.append(value.bytes)
            }
        }
        if headStart > 0 { labels.append(byte: UInt8(ascii: "\"")) }
    }

    private mutating func appendEscaped(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\\"): labels.append("\\\\")
            case UInt8(ascii: "\""): labels.append("\\\"")
            case UInt8(ascii: "\n"): labels.append("\\n")
            default: labels.append(byte: byte)
            }
        }
    }

    /// `name_suffix{labels} `.
    @inline(__always)
    private func appendName(
        _ family: borrowing ShownFamily, _ suffix: StaticString, to buffer: inout ByteBuffer
    ) {
        buffer.append(family.name)
        buffer.append(suffix)
        appendBraces(to: &buffer)
    }

    private func appendBraces(to buffer: inout ByteBuffer) {
        if labels.count > 0 {
            buffer.append(byte: UInt8(ascii: "{"))
            buffer.append(labels.bytes)
            buffer.append(byte: UInt8(ascii: "}"))
        }
        buffer.append(byte: UInt8(ascii: " "))
    }

    private func appendBucket(
        _ bucket: Int, _ total: UInt64, _ series: borrowing ShownSeries,
        _ family: borrowing ShownFamily, to buffer: inout ByteBuffer
    ) {
        appendBucketHead(bucket, total, family, to: &buffer)
        if isOpenMetrics, series.hasExemplars {
            appendExemplar(series.exemplars[bucket], to: &buffer)
        }
        buffer.append(byte: UInt8(ascii: "\n"))
    }

    /// `name_bucket{labels,le="bound"} total`.
    private func appendBucketHead(
        _ bucket: Int, _ total: UInt64, _ family: borrowing ShownFamily,
        to buffer: inout ByteBuffer
    ) {
        buffer.append(family.name)
        buffer.append("_bucket{")
        if labels.count > 0 {
            buffer.append(labels.bytes)
            buffer.append(byte: UInt8(ascii: ","))
        }
        buffer.append("le=\"")
        buffer.append(
            isOpenMetrics ? family.bounds[bucket].openMetrics : family.bounds[bucket].text)
        buffer.append("\"} ")
        appendDecimal(total, to: &buffer)
    }

    private func appendTotals(
        _ series: borrowing ShownSeries, _ family: borrowing ShownFamily,
        to buffer: inout ByteBuffer
    ) {
        appendName(family, "_sum", to: &buffer)
        append(series.number, to: &buffer)
        buffer.append("\n")
        appendName(family, "_count", to: &buffer)
        appendDecimal(series.count, to: &buffer)
        buffer.append("\n")
        appendCreated(series, family, to: &buffer)
    }

    private func appendCounterEnd(
        _ series: borrowing ShownSeries, _ family: borrowing ShownFamily,
        to buffer: inout ByteBuffer
    ) {
        if isOpenMetrics, endsInTotal(family) {
            if series.hasExemplars { appendExemplar(series.exemplars[0], to: &buffer) }
            buffer.append("\n")
            appendCreated(series, family, to: &buffer)
        } else {
            buffer.append(byte: UInt8(ascii: "\n"))
        }
    }

    private func appendCreated(
        _ series: borrowing ShownSeries, _ family: borrowing ShownFamily,
        to buffer: inout ByteBuffer
    ) {
        guard isOpenMetrics, let created = series.created else { return }
        appendBase(family, to: &buffer)
        buffer.append("_created")
        appendBraces(to: &buffer)
        append(milliseconds: created, to: &buffer)
        buffer.append("\n")
    }

    private func appendExemplar(
        _ exemplar: ExemplarPool.Slot, to buffer: inout ByteBuffer
    ) {
        guard let label = Exemplar.Label(rawValue: exemplar.label) else { return }
        buffer.append(" # {")
        buffer.append(label.name)
        buffer.append("=\"")
        withUnsafeBytes(of: exemplar.text) {
            buffer.append(UnsafeRawBufferPointer(rebasing: $0.prefix(Int(exemplar.length))))
        }
        buffer.append("\"} ")
        FloatText.append(openMetrics: exemplar.value, to: &buffer)
        buffer.append(" ")
        append(milliseconds: exemplar.milliseconds, to: &buffer)
    }

    // MARK: Numbers

    private func append(_ value: Double, to buffer: inout ByteBuffer) {
        if isOpenMetrics {
            FloatText.append(openMetrics: value, to: &buffer)
        } else {
            FloatText.append(value, to: &buffer)
        }
    }

    @inline(__always)
    private func appendDecimal(_ value: UInt64, to buffer: inout ByteBuffer) {
        if let small = Int(exactly: value) {
            buffer.append(decimal: small)
        } else {
            buffer.append("\(value)")
        }
    }

    /// Seconds with three digits behind the point.
    private func append(milliseconds: Int64, to buffer: inout ByteBuffer) {
        if milliseconds < 0 { buffer.append("-") }
        let magnitude = milliseconds.magnitude
        buffer.append(decimal: Int(magnitude / 1000))
        let rest = Int(magnitude % 1000)
        buffer.append(rest < 10 ? ".00" : rest < 100 ? ".0" : ".")
        buffer.append(decimal: rest)
    }
}
