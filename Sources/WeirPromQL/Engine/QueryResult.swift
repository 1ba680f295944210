/// One sample of a result.
public struct ResultPoint: Sendable {
    /// Milliseconds after the epoch.
    public var time: Int64
    /// The float; 0 where there is a histogram.
    public var value: Double
    /// Most samples are floats: they shall not pay for the size of a histogram.
    private var held: Held?

    private final class Held: Sendable {
        let histogram: FloatHistogram
        init(_ histogram: FloatHistogram) { self.histogram = histogram }
    }

    /// The histogram, if it is one.
    public var histogram: FloatHistogram? { held?.histogram }

    /// A sample.
    public init(time: Int64, value: Double, histogram: FloatHistogram? = nil) {
        self.time = time
        self.value = value
        held = histogram.map { Held($0) }
    }
}

/// One series of a result.
public struct ResultSeries: Sendable {
    /// Its labels, ascending by name.
    public var labels: [(name: String, value: String)]
    /// Its samples in ascending time; exactly one in a vector.
    public var points: [ResultPoint]

    /// A series.
    public init(labels: [(name: String, value: String)], points: [ResultPoint]) {
        self.labels = labels
        self.points = points
    }
}

/// What a query yields.
public struct QueryResult: Sendable {
    /// The value by its type.
    public enum Value: Sendable {
        case scalar(time: Int64, value: Double)
        case string(time: Int64, text: String)
        case vector([ResultSeries])
        case matrix([ResultSeries])
    }

    /// The value.
    public var value: Value
    /// What there is to say beside it.
    public var annotations: Annotations
}
