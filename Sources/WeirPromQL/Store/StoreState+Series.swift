extension StoreState {
    /// The reference of a series with labels of the store's symbols, which is made if there is none.
    mutating func reference(for labels: LabelSet) throws(SeriesRefusal) -> SeriesReference {
        if let slot = known[labels] {
            return SeriesReference(slot: slot, generation: slots[Int(slot)].generation)
        }
        guard totals.seriesCount < limits.seriesLimit else { throw .seriesLimit }
        let cost = Self.byteCount(of: labels)
        if totals.byteCount + cost > evictionByteCount { evict() }
        guard totals.byteCount + cost <= limits.byteLimit else { throw .byteLimit }
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(truncatingIfNeeded: slots.count)
            slots.append(Slot())
        }
        let place = Int(slot)
        slots[place].page = SeriesPage(labels)
        slots[place].isEmpty = true
        slots[place].endsWithHistogram = false
        slots[place].tailCount = 0
        // So that a series that gets no samples goes, too.
        slots[place].lastTime = now ?? .max
        known[labels] = slot
        index.insert(labels, at: slot)
        totals.seriesCount += 1
        totals.createdSeriesCount &+= 1
        totals.byteCount += cost
        return SeriesReference(slot: slot, generation: slots[place].generation)
    }

    /// The labels with the store's symbols, in order.
    mutating func labelSet(
        _ pairs: [(name: String, value: String)]
    ) throws(SeriesRefusal) -> LabelSet {
        var count = 0
        for pair in pairs where !pair.value.isEmpty {
            count += 1
            guard pair.name.utf8.count <= limits.labelNameByteLimit else { throw .labelNameLength }
            guard pair.value.utf8.count <= limits.labelValueByteLimit else {
                throw .labelValueLength
            }
        }
        guard count > 0 else { throw .noLabels }
        guard count <= limits.labelCountLimit else { throw .labelCount }
        let sorted = try Self.sorted(pairs)
        var labels = ContiguousArray<Label>()
        labels.reserveCapacity(count)
        let mayGrow =
            totals.seriesCount < limits.seriesLimit && totals.byteCount <= limits.byteLimit
        for pair in sorted {
            let name = try symbol(for: pair.name, mayGrow)
            labels.append(Label(name: name, value: try symbol(for: pair.value, mayGrow)))
        }
        return LabelSet(ordered: labels)
    }

    /// The labels ascending by name, without those that are empty.
    private static func sorted(
        _ pairs: [(name: String, value: String)]
    ) throws(SeriesRefusal) -> [(name: String, value: String)] {
        func isSorted(_ pairs: [(name: String, value: String)]) -> Bool {
            zip(pairs, pairs.dropFirst()).allSatisfy { QuerySymbols.isBefore($0.name, $1.name) }
        }
        // They mostly are.
        if isSorted(pairs), !pairs.contains(where: \.value.isEmpty) { return pairs }
        let kept = pairs.filter { !$0.value.isEmpty }
            .sorted { QuerySymbols.isBefore($0.name, $1.name) }
        guard isSorted(kept) else { throw .repeatedLabel }
        return kept
    }

    /// The text's symbol. A full store makes none: a series with a new text is a new series.
    private mutating func symbol(
        for text: String, _ mayGrow: Bool
    ) throws(SeriesRefusal) -> Symbol {
        if let symbol = symbols.existingSymbol(for: text) { return symbol }
        guard mayGrow else {
            throw totals.seriesCount < limits.seriesLimit ? .byteLimit : .seriesLimit
        }
        totals.byteCount += Self.byteCount(of: text)
        return symbols.symbol(for: text)
    }

    /// About the bytes of a series that has no samples.
    static func byteCount(of labels: LabelSet) -> Int {
        SeriesPage.byteCount + 48 + labels.labels.count * 12 + 72
    }

    /// About the bytes of a symbol.
    static func byteCount(of text: String) -> Int { text.utf8.count + 80 }

    /// Removes a series.
    mutating func remove(_ place: Int) {
        guard let page = slots[place].page else { return }
        let slot = UInt32(truncatingIfNeeded: place)
        totals.byteCount -= Self.byteCount(of: page.labels) + byteCountOfSamples(page)
        index.remove(page.labels, at: slot)
        known[page.labels] = nil
        slots[place].page = nil
        slots[place].generation &+= 1
        slots[place].tailCount = 0
        free.append(slot)
        totals.seriesCount -= 1
        totals.removedSeriesCount &+= 1
    }

    private func byteCountOfSamples(_ page: SeriesPage) -> Int {
        page.chunks.reduce(page.hasStarts ? FloatBlock.sampleLimit * 8 : 0) { $0 + $1.byteCount }
            + page.histograms.reduce(0) { $0 + $1.byteCount }
    }

    // MARK: Symbols

    /// Symbols that may be dead before it is worth to forget them.
    private static let deadSymbolLimit = 10_000

    /// Numbers the symbols anew when most of them are used no longer. Queries that run go on with the
    /// former table, which is theirs then.
    mutating func rebuildSymbolsIfWorthwhile() {
        let texts = symbols.snapshot()
        guard texts.count > 2 * symbolBase + Self.deadSymbolLimit else { return }
        let table = SymbolTable()
        var renamed: [Symbol: Symbol] = [:]
        func renewed(_ symbol: Symbol) -> Symbol {
            if let known = renamed[symbol] { return known }
            let place = Int(symbol.number)
            let fresh = table.symbol(for: place < texts.count ? texts[place] : "")
            renamed[symbol] = fresh
            return fresh
        }
        func renewed(_ labels: LabelSet) -> LabelSet {
            LabelSet(
                ordered: ContiguousArray(
                    labels.labels.map {
                        Label(name: renewed($0.name), value: renewed($0.value))
                    }))
        }
        known.removeAll(keepingCapacity: true)
        for place in slots.indices {
            guard let page = ownPage(place) else { continue }
            page.labels = renewed(page.labels)
            known[page.labels] = UInt32(truncatingIfNeeded: place)
        }
        index.rename { renewed($0) }
        exemplars.rename { renewed($0) }
        let before = texts.reduce(0) { $0 + Self.byteCount(of: $1) }
        let kept = table.snapshot()
        totals.byteCount += kept.reduce(0) { $0 + Self.byteCount(of: $1) } - before
        totals.symbolRebuildCount &+= 1
        symbols = table
        symbolBase = kept.count
    }
}
