/// The samples of a series as test scripts and rule tests write them: `1 2 _ 3+1x4 {{…}} stale`.
public struct SeriesNotation: Sendable {
    /// Why samples are refused.
    public struct Problem: Error, Sendable {
        /// What is wrong.
        public var message: String
    }

    private let items: [ScriptItem]

    /// Reads samples.
    public init(_ text: String) throws(Problem) {
        do throws(HistogramNotation.Problem) {
            items = try ScriptItems.parse(text[...])
        } catch {
            throw Problem(message: error.message)
        }
    }

    /// How many places there are, those without a sample included.
    public var count: Int { items.count }

    /// Appends the sample of a place to a series, if there is one.
    public func append(
        _ place: Int, to series: SeriesReference, of store: SampleStore, at time: Int64
    ) {
        switch items[place] {
        case .none: break
        case .float(let value): _ = store.append(series, at: time, value)
        case .histogram(let written): _ = store.append(series, at: time, written.histogram)
        }
    }

    /// The one histogram that is written, such as `{{schema:0 count:1 buckets:[1]}}`.
    public var histogram: FloatHistogram? {
        guard items.count == 1, case .histogram(let written) = items[0] else { return nil }
        return written.histogram
    }
}
