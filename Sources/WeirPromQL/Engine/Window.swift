/// The samples that a range function sees of one series at one step.
struct Window {
    /// All samples of the series that any step sees, without staleness marks.
    var buffer = SampleBuffer()
    /// Which of the floats lie in the window.
    var floats: Range<Int> = 0..<0
    /// Which of the histograms do.
    var histograms: Range<Int> = 0..<0
    /// The window's start, outside of it, in milliseconds.
    var start: Int64 = 0
    /// The window's end, inside of it.
    var end: Int64 = 0
    /// The step's time.
    var stepTime: Int64 = 0
    /// The window's length in milliseconds.
    var length: Int64
    /// How samples beyond its edges count; where they do, the ranges reach beyond them.
    var edge: WindowEdge
    /// The function's scalar arguments at this step, in their order.
    var parameters: ContiguousArray<Double> = []

    /// A window over nothing yet.
    init(length: Int64, edge: WindowEdge) {
        self.length = length
        self.edge = edge
    }

    /// Puts it at a step's time.
    mutating func move(to time: Int64, _ frame: Evaluator.Frame) {
        stepTime = time
        end = frame.place.reference(time)
        start = end &- frame.length
    }

    /// The window's length in seconds.
    var seconds: Double { Double(length) / 1_000 }

    /// When the counter of a float began; 0 where that is not known.
    func floatStart(_ place: Int) -> Int64 {
        place < buffer.floatStarts.count ? buffer.floatStarts[place] : 0
    }

    /// When a histogram began; 0 where that is not known.
    func histogramStart(_ place: Int) -> Int64 {
        place < buffer.histogramStarts.count ? buffer.histogramStarts[place] : 0
    }
}

/// What a range function computes of a window.
typealias WindowKernel = @Sendable (_ window: borrowing Window, _ remarks: Remarks) -> Sample

/// Where a function leaves what it has to say about the series at hand.
final class Remarks {
    private unowned let evaluator: Evaluator
    /// The place of the function's argument.
    let range: TextRange
    /// The series' labels.
    var labels = LabelSet()
    /// What cannot be computed at all, by the parameters.
    var failure: QueryError?

    init(_ evaluator: Evaluator, at range: TextRange) {
        self.evaluator = evaluator
        self.range = range
    }

    /// The metric's name in quotes.
    var metricName: String { GoText.quoted(evaluator.metricName(labels)) }

    /// Adds a warning.
    func warn(_ text: String) { evaluator.annotations.warn(text, at: range) }

    /// Adds an info.
    func inform(_ text: String) { evaluator.annotations.inform(text, at: range) }

    /// Adds an info of buckets that had to be mended.
    func inform(_ text: String, of mending: MonotonicityMending) {
        evaluator.annotations.inform(text, of: mending, at: range)
    }

    /// Floats and histograms in one window.
    func warnOfMixedSamples() {
        warn("encountered a mix of histograms and floats for metric name \(metricName)")
    }

    /// Histograms that a function of floats passes over.
    func informOfIgnoredHistograms() {
        inform(
            "ignored histograms in a range containing both floats and histograms for metric name \(metricName)"
        )
    }

    /// A quantile that there cannot be.
    func warnOfQuantile(_ fraction: Double) {
        warn("quantile value should be between 0 and 1, got \(GoText.shortest(fraction))")
    }
}
