import WeirCore

/// The form in which a group's series and positions are written down.
///
/// A journal is frames one behind the other; a file may hold those of several groups. A frame is
/// written as a whole and holds what belongs together: the series that changed and the positions up to
/// which they are counted. One that a crash cut off, or whose checksum is wrong, ends the journal, so
/// counters and positions never come from two moments.
///
/// Frame: a ``WeirCore/ChecksummedFrame`` of `WSJ1`. Payload: kind, fingerprint of the declaration (8 bytes), the group's name, then a section for each
/// shard: its name, positions, forgotten origins, removed series, series. Numbers are varints
/// (LEB128) where their size is not given.
enum SeriesJournal {
    /// Beyond its limit a group is not written, and the file stays as it was.
    static let frame = ChecksummedFrame(magic: "WSJ1", payloadByteLimit: 1 << 30)

    /// What a frame means for those before it.
    enum Kind: UInt8 {
        /// It stands alone: the group's earlier frames are forgotten.
        case whole = 1
        /// It changes what they say.
        case changes = 2
    }
}

/// What a checkpoint writes.
public enum CheckpointExtent: Sendable {
    /// Everything: the first frame of a file, and the next one after one that could not be written.
    case all
    /// What changed since the last one.
    case changes
}

extension SeriesGroup {
    /// Appends a frame with what changed since the last call, or with everything.
    ///
    /// Each shard is locked in turn: its series and its positions belong to one moment. The cost is that
    /// of the series that changed. What is taken is not given again: when it cannot be kept, write
    /// ``CheckpointExtent/all`` next.
    /// - Returns: Whether the frame is one that needs no other before it; `all` may come unasked
    ///   when changes alone do not tell enough. Such a frame may also begin a new file.
    @discardableResult
    public func appendCheckpoint(
        _ extent: CheckpointExtent, to buffer: inout ByteBuffer
    ) -> CheckpointExtent {
        let shards = shards
        let mustBeWhole = shards.contains { $0.withTable { $0.journal.mustBeWhole } }
        let kind: SeriesJournal.Kind = extent == .all || mustBeWhole ? .whole : .changes
        var payload = ByteBuffer(capacity: 4096)
        payload.append(byte: kind.rawValue)
        payload.append(word: fingerprint)
        payload.append(text: declaration.name)
        payload.append(varint: UInt64(shards.count))
        for shard in shards {
            payload.append(text: shard.name)
            shard.withTable { $0.appendSection(isWhole: kind == .whole, to: &payload) }
        }
        let written: CheckpointExtent = kind == .whole ? .all : .changes
        if !SeriesJournal.frame.append(payload.bytes, to: &buffer) {
            for shard in shards { shard.withTable { $0.journal.mustBeWhole = true } }
        }
        return written
    }

    /// A number that differs when the declaration does, the same in every process.
    var fingerprint: UInt64 {
        var hash = FNV1a()
        func add(_ text: String) {
            hash.add(text)
            hash.add(0xff)
        }
        for label in declaration.labelNames { add(label) }
        for family in declaration.families {
            add(family.name)
            add("\(family.kind)")
        }
        return hash.value
    }
}

extension SeriesTable {
    /// Appends what changed, and begins the next turn.
    mutating func appendSection(isWhole: Bool, to buffer: inout ByteBuffer) {
        if isWhole {
            journal.epoch &+= 1
            journal.removed.removeAll()
            journal.changed = (0..<rowCount).filter { serial($0) != 0 }.map { UInt32($0) }
            journal.changedOrigins = Set(positions.keys)
            journal.forgottenOrigins.removeAll()
            journal.isKept = true
            journal.mustBeWhole = false
        }
        buffer.append(varint: UInt64(journal.changedOrigins.count))
        for origin in journal.changedOrigins {
            buffer.append(word: origin.high)
            buffer.append(word: origin.low)
            buffer.append(varint: positions[origin] ?? 0)
        }
        buffer.append(varint: UInt64(journal.forgottenOrigins.count))
        for origin in journal.forgottenOrigins {
            buffer.append(word: origin.high)
            buffer.append(word: origin.low)
        }
        buffer.append(varint: UInt64(journal.removed.count))
        for serial in journal.removed { buffer.append(varint: serial) }
        let living = journal.changed.filter { serial(Int($0)) != 0 }
        buffer.append(varint: UInt64(living.count))
        for index in living { appendSeries(Int(index), to: &buffer) }
        journal.changed.removeAll(keepingCapacity: !isWhole)
        journal.changedOrigins.removeAll()
        journal.forgottenOrigins.removeAll()
        journal.removed.removeAll()
        journal.version &+= 1
    }

    private func appendSeries(_ index: Int, to buffer: inout ByteBuffer) {
        let row = row(index)
        buffer.append(varint: serial(index))
        let epoch = row.load(fromByteOffset: SeriesLayout.epoch, as: UInt32.self)
        let isNew = epoch != journal.epoch
        buffer.append(byte: isNew ? 1 : 0)
        if isNew {
            row.storeBytes(of: journal.epoch, toByteOffset: SeriesLayout.epoch, as: UInt32.self)
            for label in 0..<layout.labelCount {
                let entry = values.entries[Int(key(index, label))]
                buffer.append(varint: UInt64(entry.length))
                buffer.append(
                    UnsafeRawBufferPointer(start: entry.bytes, count: Int(entry.length)))
            }
            buffer.append(word: row.load(fromByteOffset: SeriesLayout.created, as: UInt64.self))
        }
        buffer.append(word: row.load(fromByteOffset: SeriesLayout.touched, as: UInt64.self))
        let present = row.load(fromByteOffset: SeriesLayout.present, as: UInt32.self)
        buffer.append(varint: UInt64(present))
        for (number, family) in layout.families.enumerated()
        where present >> UInt32(number) & 1 == 1 {
            appendValues(of: family, row, to: &buffer)
        }
    }

    private func appendValues(
        of family: SeriesLayout.Family, _ row: UnsafeMutableRawPointer,
        to buffer: inout ByteBuffer
    ) {
        func word(_ place: Int) -> UInt64 {
            row.load(fromByteOffset: family.offset + place * 8, as: UInt64.self)
        }
        switch family.kind {
        case .counter: buffer.append(varint: word(0))
        case .floatCounter, .gauge: buffer.append(word: word(0))
        case .summary:
            buffer.append(varint: word(0))
            buffer.append(word: word(1))
        case .histogram:
            for bucket in 0...family.boundCount { buffer.append(varint: word(bucket)) }
            buffer.append(word: word(family.boundCount + 1))
        case .nativeHistogram(let schema, _):
            let number = Int(row.load(fromByteOffset: family.offset, as: UInt32.self))
            let native = number > 0 ? natives[number - 1] : NativeHistogram(schema: schema)
            buffer.append(varint: UInt64(native.schema + 64))
            buffer.append(varint: native.count)
            buffer.append(word: native.sum.bitPattern)
            buffer.append(varint: native.zeroCount)
            for run in [native.positive, native.negative] {
                buffer.append(word: UInt64(bitPattern: Int64(run.first)))
                buffer.append(varint: UInt64(run.counts.count))
                for count in run.counts { buffer.append(varint: count) }
            }
        }
    }
}
