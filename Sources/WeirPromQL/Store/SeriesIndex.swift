/// Which series have which labels.
struct SeriesIndex: Sendable {
    /// By name and value.
    private(set) var postings: [Symbol: [Symbol: Postings]] = [:]
    /// All series.
    private(set) var all = Postings()
    /// Slots that there are, used or not.
    private(set) var slotCount = 0
    /// Changes whenever a slot stops to mean what it meant.
    private(set) var removals = 0

    mutating func insert(_ labels: LabelSet, at slot: UInt32) {
        for label in labels.labels {
            postings[label.name, default: [:]][label.value, default: Postings()].insert(slot)
        }
        all.insert(slot)
        slotCount = max(slotCount, Int(slot) + 1)
    }

    mutating func remove(_ labels: LabelSet, at slot: UInt32) {
        removals += 1
        all.remove(slot)
        for label in labels.labels {
            postings[label.name]?[label.value]?.remove(slot)
            guard postings[label.name]?[label.value]?.isEmpty == true else { continue }
            postings[label.name]?[label.value] = nil
            if postings[label.name]?.isEmpty == true { postings[label.name] = nil }
        }
    }

    /// The series that pass all matchers.
    ///
    /// A matcher that the empty text passes also takes the series that lack its label: so instead of
    /// collecting those that pass it, those that fail it are taken away.
    func series(passing matchers: [CompiledMatcher], _ symbols: SymbolTable) -> SlotSet {
        var result: SlotSet?
        var excluded: [CompiledMatcher] = []
        let texts = symbols.snapshot()
        for matcher in matchers {
            if matcher.passes("") {
                excluded.append(matcher)
                continue
            }
            let passing = union(of: matcher, symbols, texts) { matcher.passes($0) }
            guard result != nil else {
                result = passing
                continue
            }
            result?.formIntersection(passing)
        }
        var series = result ?? everything
        for matcher in excluded {
            series.subtract(union(of: matcher, symbols, texts) { !matcher.passes($0) })
        }
        return series
    }

    /// The series that pass all matchers of any selector.
    func series(passingAny selectors: [[CompiledMatcher]], _ symbols: SymbolTable) -> SlotSet {
        var result = SlotSet(slotCount: 0)
        for (place, matchers) in selectors.enumerated() {
            let passing = series(passing: matchers, symbols)
            if place == 0 { result = passing } else { result.formUnion(passing) }
        }
        return result
    }

    /// All series.
    var everything: SlotSet {
        var set = SlotSet(slotCount: slotCount)
        set.formUnion(all)
        return set
    }

    /// The series whose label has a value that counts.
    private func union(
        of matcher: CompiledMatcher, _ symbols: SymbolTable, _ texts: ContiguousArray<String>,
        _ counts: (String) -> Bool
    ) -> SlotSet {
        var set = SlotSet(slotCount: slotCount)
        guard let name = symbols.existingSymbol(for: matcher.matcher.name),
            let values = postings[name]
        else { return set }
        switch matcher.matcher.operation {
        case .equal where !matcher.matcher.value.isEmpty,
            .notEqual where !matcher.matcher.value.isEmpty:
            // The one value that is named.
            if let value = symbols.existingSymbol(for: matcher.matcher.value),
                let postings = values[value]
            {
                set.formUnion(postings)
            }
        case .equal, .notEqual, .matches, .notMatches:
            for (value, postings) in values
            where Int(value.number) < texts.count && counts(texts[Int(value.number)]) {
                set.formUnion(postings)
            }
        }
        return set
    }
}

extension SeriesIndex {
    /// Gives all labels other symbols.
    mutating func rename(_ renewed: (Symbol) -> Symbol) {
        var renamed: [Symbol: [Symbol: Postings]] = [:]
        for (name, values) in postings {
            var kept: [Symbol: Postings] = [:]
            kept.reserveCapacity(values.count)
            for (value, postings) in values { kept[renewed(value)] = postings }
            renamed[renewed(name)] = kept
        }
        postings = renamed
        removals += 1
    }
}
