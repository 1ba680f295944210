/// Where in a series' row each metric of the group keeps its values.
///
/// A row is 48 bytes of head (hash, serial, touched, created, version, epoch, present), the numbers
/// of the label values, and the values of each metric.
struct SeriesLayout: Sendable {
    static let hash = 0
    /// A number that no other series of the table ever had; 0 in a free row.
    static let serial = 8
    /// When the series was last updated, in milliseconds since 1970.
    static let touched = 16
    /// When it was made.
    static let created = 24
    /// The journal's turn in which it was last changed.
    static let version = 32
    /// The journal that knows its labels.
    static let epoch = 36
    /// A bit for each metric that has a value.
    static let present = 40
    static let keys = 48

    /// One metric's place in the row.
    struct Family: Sendable {
        var kind: FamilyDeclaration.Kind
        /// Byte offset of the values: of a histogram its counts, then its sum.
        var offset: Int
        /// Byte offset of the number of its exemplars, for metrics that have them.
        var exemplars: Int
        /// The first bound of a histogram in ``bounds``.
        var firstBound: Int
        /// How many bounds it has.
        var boundCount: Int

        /// How many exemplars the metric keeps: one to each bucket.
        var exemplarCount: Int {
            switch kind {
            case .counter, .floatCounter: 1
            case .histogram: boundCount + 1
            case .nativeHistogram: ExemplarPool.nativeCount
            case .gauge, .summary: 0
            }
        }
    }

    let labelCount: Int
    let families: [Family]
    let bounds: [Double]
    /// Bytes of a row.
    let stride: Int
    /// Rows of a page, as a power of two.
    let pageShift: Int

    private static let pageByteCount = 64 * 1024

    init(_ declaration: SeriesGroup.Declaration) {
        labelCount = declaration.labelNames.count
        var offset = Self.keys + (labelCount * 4 + 7) & ~7
        var families: [Family] = []
        var bounds: [Double] = []
        for family in declaration.families {
            var made = Family(
                kind: family.kind, offset: offset, exemplars: 0, firstBound: bounds.count,
                boundCount: 0)
            switch family.kind {
            case .counter, .floatCounter, .gauge: offset += 8
            case .summary: offset += 16
            case .histogram(let list):
                made.boundCount = list.count
                bounds += list
                offset += (list.count + 2) * 8
            case .nativeHistogram: offset += 8
            }
            if made.exemplarCount > 0 {
                made.exemplars = offset
                offset += 8
            }
            families.append(made)
        }
        self.families = families
        self.bounds = bounds
        stride = offset
        var shift = 0
        while stride << (shift + 1) <= Self.pageByteCount { shift += 1 }
        pageShift = shift
    }
}
