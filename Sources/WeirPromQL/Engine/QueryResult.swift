/// One sample of a result.
public struct ResultPoint: Sendable {
    /// Milliseconds after the epoch.
    public var time: Int64
    /// The float; 0 where there is a histogram.
    public var value: Double
    /// The histogram, if it is one.
    public var histogram: FloatHistogram?

    /// A sample.
    public init(time: Int64, value: Double, histogram: FloatHistogram? = nil) {
        self.time = time
        self.value = value
        self.histogram = histogram
    }
}

/// One series of a result.
public struct ResultSeries: Sendable {
    /// Its labels, ascending by name.
    public var labels: [(name: String, value: String)]
    /// Its samples in ascending time; exactly one in a vector.
    public var points: [ResultPoint]
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
