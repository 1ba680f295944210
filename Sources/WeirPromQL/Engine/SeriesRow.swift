/// One series of an expression's value, over all steps.
///
/// A step without a sample holds ``absent``, and so does one with a histogram.
struct SeriesRow {
    /// Stands where there is no float. No expression can compute these bits.
    static let absent = SampleMark.stale

    /// Its labels.
    var labels: LabelSet
    /// Whether the metric's name goes when the query ends.
    var dropsName = false
    /// The floats, one per step.
    var floats: ContiguousArray<Double>
    /// The histograms, one per step, or nothing where the series has none.
    var histograms: ContiguousArray<FloatHistogram?> = []
    /// The samples' own times in milliseconds, where `timestamp()` asked for them.
    var times: ContiguousArray<Int64> = []

    /// A series without samples.
    init(labels: LabelSet, stepCount: Int) {
        self.labels = labels
        floats = ContiguousArray(repeating: Self.absent, count: stepCount)
    }

    /// Whether a float is one.
    static func isPresent(_ value: Double) -> Bool { !SampleMark.isStale(value) }

    /// Whether there is a sample of either kind at a step.
    func isPresent(at step: Int) -> Bool {
        Self.isPresent(floats[step]) || histogram(at: step) != nil
    }

    /// Whether there is any sample.
    var hasSamples: Bool {
        for value in floats where Self.isPresent(value) { return true }
        for histogram in histograms where histogram != nil { return true }
        return false
    }

    /// The histogram at a step.
    func histogram(at step: Int) -> FloatHistogram? {
        histograms.isEmpty ? nil : histograms[step]
    }

    /// Makes it a series without samples again, and keeps its memory.
    mutating func clear(labels: LabelSet, stepCount: Int) {
        self.labels = labels
        dropsName = false
        if floats.count == stepCount {
            for step in 0..<stepCount { floats[step] = Self.absent }
        } else {
            floats = ContiguousArray(repeating: Self.absent, count: stepCount)
        }
        if !histograms.isEmpty { histograms.removeAll() }
        if !times.isEmpty { times.removeAll() }
    }

    /// Sets a step's sample.
    mutating func set(_ sample: Sample, at step: Int) {
        switch sample {
        case .absent: break
        case .float(let value): floats[step] = value
        case .histogram(let histogram): set(histogram, at: step)
        }
    }

    /// Sets a step's histogram.
    mutating func set(_ histogram: FloatHistogram, at step: Int) {
        if histograms.isEmpty {
            histograms = ContiguousArray(repeating: nil, count: floats.count)
        }
        histograms[step] = histogram
    }

    /// Removes a step's sample.
    mutating func remove(at step: Int) {
        floats[step] = Self.absent
        if !histograms.isEmpty { histograms[step] = nil }
    }

    /// Takes over the samples of another series with the same labels.
    /// - Throws: Where both have a sample at one step.
    mutating func merge(_ other: SeriesRow) throws(QueryError) {
        for step in floats.indices where other.isPresent(at: step) {
            if isPresent(at: step) { throw .duplicateLabelSet }
            floats[step] = other.floats[step]
            if let histogram = other.histogram(at: step) { set(histogram, at: step) }
        }
    }
}

/// What a series has at a step.
enum Sample {
    case absent
    case float(Double)
    case histogram(FloatHistogram)
}
