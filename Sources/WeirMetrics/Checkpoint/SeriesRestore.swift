import WeirCore

extension SeriesCatalog {
    /// Gives the groups their series and positions back from a journal of any content.
    ///
    /// Called before anything is counted. A shard whose filter is not in the configuration any more
    /// keeps its series until they have been idle for their time, so that no sum falls.
    public func restore(_ journal: UnsafeRawBufferPointer) -> RestoreReport {
        let groups = all
        var reader = SeriesJournalReader(groups)
        reader.read(journal)
        var report = reader.report
        for group in groups {
            guard let restored = reader.groups[group.declaration.name] else { continue }
            for (name, shard) in restored.shards.sorted(by: { $0.key < $1.key }) {
                report.labelSetCount += group.shard(named: name).withTable { $0.restore(shard) }
            }
        }
        return report
    }

    /// Appends a frame for each group; see ``SeriesGroup/appendCheckpoint(_:to:)``.
    /// - Returns: Whether all frames stand alone.
    @discardableResult
    public func appendCheckpoint(
        _ extent: CheckpointExtent, to buffer: inout ByteBuffer
    ) -> CheckpointExtent {
        var written = CheckpointExtent.all
        for group in all where group.appendCheckpoint(extent, to: &buffer) == .changes {
            written = .changes
        }
        return written
    }
}

extension SeriesTable {
    /// Takes over a shard's series and positions.
    /// - Returns: How many label sets live again.
    mutating func restore(_ shard: SeriesJournalReader.Shard) -> Int {
        for (origin, position) in shard.positions { setCounted(origin, upTo: position) }
        let present = now
        var count = 0
        var labels = LabelValues(labelCount: layout.labelCount)
        for (_, series) in shard.series.sorted(by: { $0.key < $1.key }) {
            labels.removeAll()
            for value in series.labels { value.withUnsafeBytes { labels.append($0) } }
            now = Int64(bitPattern: series.touched)
            let before = labelSetCount
            let index = index(of: labels)
            if labelSetCount > before {
                row(index).storeBytes(
                    of: series.created, toByteOffset: SeriesLayout.created, as: UInt64.self)
                count += 1
            }
            for (family, values) in series.values.enumerated() {
                if let values { restore(values, at: index, family) }
            }
        }
        now = present
        journal.mustBeWhole = true
        return count
    }

    /// Adds what was written down to what is there: several series may have become one, when there are
    /// fewer allowed than there were.
    private mutating func restore(
        _ values: SeriesJournalReader.Values, at index: Int, _ family: Int
    ) {
        let place = layout.families[family]
        let row = present(index, family)
        func add(_ word: UInt64, _ number: Int) {
            let offset = place.offset + number * 8
            let before = row.load(fromByteOffset: offset, as: UInt64.self)
            row.storeBytes(of: before &+ word, toByteOffset: offset, as: UInt64.self)
        }
        func add(number word: UInt64, _ number: Int) {
            let offset = place.offset + number * 8
            let before = row.load(fromByteOffset: offset, as: Double.self)
            row.storeBytes(
                of: before + Double(bitPattern: word), toByteOffset: offset, as: Double.self)
        }
        switch (place.kind, values) {
        case (.counter, .words(let words)): add(words[0], 0)
        case (.floatCounter, .words(let words)): add(number: words[0], 0)
        case (.gauge, .words(let words)):
            row.storeBytes(of: words[0], toByteOffset: place.offset, as: UInt64.self)
        case (.summary, .words(let words)):
            add(words[0], 0)
            add(number: words[1], 1)
        case (.histogram, .words(let words)):
            for bucket in 0...place.boundCount { add(words[bucket], bucket) }
            add(number: words[place.boundCount + 1], place.boundCount + 1)
        case (.nativeHistogram(_, let bucketLimit), .native(let native)):
            natives[nativeNumber(row, place)].merge(native, bucketLimit: bucketLimit)
        case (.nativeHistogram, .words), (_, .native): break
        }
    }
}
