/// Samples of one series in ascending time: floats and histograms apart, each time in one of them.
public struct SampleBuffer: Sendable {
    /// The floats' times in milliseconds.
    public var floatTimes: ContiguousArray<Int64> = []
    /// The floats.
    public var floats: ContiguousArray<Double> = []
    /// The histograms' times in milliseconds.
    public var histogramTimes: ContiguousArray<Int64> = []
    /// The histograms.
    public var histograms: ContiguousArray<FloatHistogram> = []
    /// When each float's counter began, or nothing where no sample of the series says so. 0 is unknown.
    public var floatStarts: ContiguousArray<Int64> = []
    /// When each histogram began, likewise.
    public var histogramStarts: ContiguousArray<Int64> = []

    /// No samples.
    public init() {}

    /// Forgets the samples and keeps the memory.
    public mutating func removeAll() {
        floatTimes.removeAll(keepingCapacity: true)
        floats.removeAll(keepingCapacity: true)
        histogramTimes.removeAll(keepingCapacity: true)
        histograms.removeAll(keepingCapacity: true)
        floatStarts.removeAll(keepingCapacity: true)
        histogramStarts.removeAll(keepingCapacity: true)
    }
}

/// The marks that a sample's bits can carry.
public enum SampleMark {
    /// "The series has ended here": a NaN with these bits, unlike any other NaN
    /// (Prometheus: model/value, `StaleNaN`).
    public static let stale = Double(bitPattern: 0x7ff0_0000_0000_0002)
    /// An ordinary NaN's bits.
    public static let ordinaryNaN = Double(bitPattern: 0x7ff8_0000_0000_0001)

    /// Whether a sample says that its series has ended. A histogram says so with its sum.
    public static func isStale(_ value: Double) -> Bool {
        value.bitPattern == 0x7ff0_0000_0000_0002
    }
}

/// A series that a query selected, as it was at that moment: what is appended later is not seen.
public protocol SelectedSeries {
    /// Its labels, with the source's symbols.
    var labels: LabelSet { get }

    /// Appends the samples with times in `first...last` to the buffer.
    func read(from first: Int64, through last: Int64, into buffer: inout SampleBuffer)

    /// What a counter did in `first...last`, where that is told faster than by reading every sample; `nil`
    /// where it is not. Only of series all of whose samples there are numbers without a start.
    func counterWindow(from first: Int64, through last: Int64) -> CounterWindow?
}

extension SelectedSeries {
    /// No shorter way.
    public func counterWindow(from first: Int64, through last: Int64) -> CounterWindow? { nil }
}

/// Something that holds series and can be queried.
public protocol SampleSource: Sendable {
    /// The symbols of its labels.
    var symbols: SymbolTable { get }

    /// The series that pass all matchers and may have samples with times in `first...last`.
    func select(
        _ matchers: [CompiledMatcher], from first: Int64, through last: Int64
    ) -> [any SelectedSeries]
}
