/// Native histograms with bounds of their own, put together from the classic series of a load.
enum NativeConversion {
    private struct Group {
        var line: Int
        var labels: [(name: String, value: String)]
        var buckets: [(upper: Double, items: [ScriptItem])] = []
        var counts: [ScriptItem] = []
        var sums: [ScriptItem] = []
    }

    static func histograms(of loaded: [ScriptCommand.Loaded]) -> [ScriptCommand.Loaded] {
        var groups: [String: Group] = [:]
        var order: [String] = []
        for series in loaded {
            guard let name = series.labels.first(where: { $0.name == "__name__" })?.value,
                let suffix = ["_bucket", "_count", "_sum"].first(where: name.hasSuffix)
            else { continue }
            let rest = series.labels.filter { $0.name != "le" }.map { label in
                label.name == "__name__"
                    ? (name: label.name, value: String(name.dropLast(suffix.count))) : label
            }
            let key = ScriptRunner.key(rest)
            if groups[key] == nil {
                groups[key] = Group(line: series.line, labels: rest)
                order.append(key)
            }
            switch suffix {
            case "_count": groups[key]?.counts = series.items
            case "_sum": groups[key]?.sums = series.items
            default:
                guard let text = series.labels.first(where: { $0.name == "le" })?.value,
                    let upper = text == "+Inf" ? .infinity : Double(text), !upper.isNaN
                else { continue }
                groups[key]?.buckets.append((upper, series.items))
            }
        }
        return order.compactMap { groups[$0].flatMap(histograms) }
    }

    private static func histograms(_ group: Group) -> ScriptCommand.Loaded? {
        guard !group.buckets.isEmpty else { return nil }
        let buckets = group.buckets.sorted { $0.upper < $1.upper }
        let length = max(
            buckets.map(\.items.count).max() ?? 0, group.counts.count, group.sums.count)
        var items: [ScriptItem] = []
        for place in 0..<length { items.append(histogram(buckets, group, place)) }
        return ScriptCommand.Loaded(line: group.line, labels: group.labels, items: items)
    }

    private static func value(_ items: [ScriptItem], _ place: Int) -> Double? {
        guard place < items.count, case .float(let value) = items[place] else { return nil }
        return value
    }

    private static func histogram(
        _ buckets: [(upper: Double, items: [ScriptItem])], _ group: Group, _ place: Int
    ) -> ScriptItem {
        var histogram = FloatHistogram()
        histogram.schema = FloatHistogram.customSchema
        var counts = SparseBuckets()
        var former = 0.0
        var formerUpper: Double?
        var hasAny = false
        for (upper, items) in buckets {
            guard let total = value(items, place), upper != formerUpper else { continue }
            formerUpper = upper
            hasAny = true
            if SampleMark.isStale(total) { return .float(SampleMark.stale) }
            counts.append((histogram.customBounds.count, total - former))
            former = total
            if upper < .infinity { histogram.customBounds.append(upper) }
        }
        let count = value(group.counts, place)
        guard hasAny || count != nil else { return .none }
        if let count, count > former {
            counts.append((histogram.customBounds.count, count - former))
        }
        histogram.positive = counts
        histogram.count = count ?? former
        histogram.sum = value(group.sums, place) ?? 0
        return .histogram(HistogramNotation.Written(histogram: histogram, hasHint: false))
    }
}
