import WeirCore

/// Writes results as Prometheus' HTTP API has them.
public enum ResultWriter {
    /// Appends a result: `"resultType":…,"result":…` in braces.
    public static func append(_ value: QueryResult.Value, to buffer: inout ByteBuffer) {
        switch value {
        case .scalar(let time, let number):
            buffer.append(#"{"resultType":"scalar","result":["#)
            append(time: time, to: &buffer)
            buffer.append(",\"\(text(of: number))\"]}")
        case .string(let time, let text):
            buffer.append(#"{"resultType":"string","result":["#)
            append(time: time, to: &buffer)
            buffer.append(",")
            append(text, to: &buffer)
            buffer.append("]}")
        case .vector(let series):
            buffer.append(#"{"resultType":"vector","result":["#)
            append(series, to: &buffer, appendVectorPoint)
        case .matrix(let series):
            buffer.append(#"{"resultType":"matrix","result":["#)
            append(series, to: &buffer, appendPoints)
        }
    }

    private static func append(
        _ series: [ResultSeries], to buffer: inout ByteBuffer,
        _ points: ([ResultPoint], inout ByteBuffer) -> Void
    ) {
        for (place, one) in series.enumerated() {
            if place > 0 { buffer.append(",") }
            buffer.append(#"{"metric":"#)
            append(labels: one.labels, to: &buffer)
            points(one.points, &buffer)
            buffer.append("}")
        }
        buffer.append("]}")
    }

    /// Appends labels as an object.
    public static func append(
        labels: [(name: String, value: String)], to buffer: inout ByteBuffer
    ) {
        buffer.append("{")
        for (place, label) in labels.enumerated() {
            if place > 0 { buffer.append(",") }
            append(label.name, to: &buffer)
            buffer.append(":")
            append(label.value, to: &buffer)
        }
        buffer.append("}")
    }

    /// Appends a text in quotes.
    public static func append(_ text: String, to buffer: inout ByteBuffer) {
        buffer.append("\"")
        appendEscaped(text, to: &buffer)
        buffer.append("\"")
    }

    private static func appendVectorPoint(_ points: [ResultPoint], _ buffer: inout ByteBuffer) {
        guard let point = points.first else { return }
        buffer.append(point.histogram == nil ? #","value":"# : #","histogram":"#)
        append(point, to: &buffer)
    }

    private static func appendPoints(_ points: [ResultPoint], _ buffer: inout ByteBuffer) {
        for (name, isHistogram) in [("values", false), ("histograms", true)] {
            let some = points.filter { ($0.histogram != nil) == isHistogram }
            if some.isEmpty { continue }
            buffer.append(",\"\(name)\":[")
            for (place, point) in some.enumerated() {
                if place > 0 { buffer.append(",") }
                append(point, to: &buffer)
            }
            buffer.append("]")
        }
    }

    private static func append(_ point: ResultPoint, to buffer: inout ByteBuffer) {
        buffer.append("[")
        append(time: point.time, to: &buffer)
        buffer.append(",")
        if let histogram = point.histogram {
            append(histogram, to: &buffer)
        } else {
            buffer.append("\"\(text(of: point.value))\"")
        }
        buffer.append("]")
    }

    private static func append(_ histogram: FloatHistogram, to buffer: inout ByteBuffer) {
        buffer.append("{\"count\":\"\(text(of: histogram.count))\"")
        buffer.append(",\"sum\":\"\(text(of: histogram.sum))\"")
        let buckets = histogram.buckets
        if !buckets.isEmpty {
            buffer.append(",\"buckets\":[")
            for (place, bucket) in buckets.enumerated() {
                if place > 0 { buffer.append(",") }
                let bounds =
                    bucket.includesLower
                    ? (bucket.includesUpper ? 3 : 1) : (bucket.includesUpper ? 0 : 2)
                buffer.append(
                    "[\(bounds),\"\(text(of: bucket.lower))\",\"\(text(of: bucket.upper))\","
                        + "\"\(text(of: bucket.count))\"]")
            }
            buffer.append("]")
        }
        buffer.append("}")
    }

    /// Appends milliseconds as seconds.
    public static func append(time: Int64, to buffer: inout ByteBuffer) {
        if time < 0 { buffer.append("-") }
        buffer.append("\(time.magnitude / 1_000)")
        let part = time.magnitude % 1_000
        guard part > 0 else { return }
        let digits = "\(part)"
        buffer.append("." + String(repeating: "0", count: 3 - digits.count) + digits)
    }

    /// A number as the API writes it: without an exponent, unless it is very large or very small.
    public static func text(of value: Double) -> String {
        let size = abs(value)
        guard size != 0, size < 1e-6 || size >= 1e21, value.isFinite else {
            return GoText.plain(value)
        }
        return GoText.shortest(value)
    }
}
