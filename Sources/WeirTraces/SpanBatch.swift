// Hot path: every span is decoded into a batch and written out of it.
import Glibc
import WeirCore

/// The spans of one request: their texts one behind the other, and tables that point into them.
///
/// Nothing is allocated per span. A batch belongs to one thread and is used again (``reset()``).
public final class SpanBatch {
    /// Most bytes of texts, since places are counted in 32 bits.
    static let textByteLimit = 1 << 30

    /// The spans in the order in which they came.
    public private(set) var spans: [TraceSpan] = []
    /// What the limits left out.
    public internal(set) var limited = LimitedSpans()
    /// How much is taken.
    public let limits: SpanLimits
    /// Tags that every span gets which lacks them.
    public var commonTags: [(key: String, value: String)] = []
    var texts = ByteBuffer(capacity: 4096)
    private var tags: [SpanTag] = []
    private var annotations: [SpanAnnotation] = []
    /// Where the tags of the span under construction begin.
    private var openTag = 0
    private var openAnnotations: [SpanAnnotation] = []

    /// An empty batch.
    public init(limits: SpanLimits = SpanLimits()) { self.limits = limits }

    /// Forgets everything but the memory.
    public func reset() {
        spans.removeAll(keepingCapacity: true)
        tags.removeAll(keepingCapacity: true)
        annotations.removeAll(keepingCapacity: true)
        openTag = 0
        openAnnotations.removeAll(keepingCapacity: true)
        texts.truncate(to: 0)
        limited = LimitedSpans()
    }

    // MARK: Reading

    /// The tags of a span, in the order of their keys.
    public func tags(of span: TraceSpan) -> ArraySlice<SpanTag> {
        tags[Int(span.firstTag)..<Int(span.firstTag &+ span.tagCount)]
    }

    /// The annotations of a span, in the order of their times.
    public func annotations(of span: TraceSpan) -> ArraySlice<SpanAnnotation> {
        let start = Int(span.firstAnnotation)
        return annotations[start..<(start + Int(span.annotationCount))]
    }

    /// A text's bytes, valid until the batch changes, readable 16 bytes beyond their end.
    @inline(__always)
    public func bytes(of text: SpanText) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: texts.pointer + Int(text.offset), count: Int(text.count))
    }

    /// A text as a string.
    public func string(_ text: SpanText) -> String {
        String(decoding: bytes(of: text), as: UTF8.self)
    }

    /// The value of a span's tag.
    public func tag(_ key: StaticString, of span: TraceSpan) -> SpanText? {
        let count = key.utf8CodeUnitCount
        for tag in tags(of: span) where Int(tag.key.count) == count {
            let bytes = bytes(of: tag.key)
            var place = 0
            while place < count, bytes[place] == key.utf8Start[place] { place += 1 }
            if place == count { return tag.value }
        }
        return nil
    }

    // MARK: Writing

    /// Keeps a text of ASCII that JSON takes as it stands.
    @inline(__always)
    func plainText(_ bytes: UnsafeRawBufferPointer) -> SpanText {
        guard bytes.count <= limits.textBytes, texts.count < Self.textByteLimit,
            let base = bytes.bindMemory(to: UInt8.self).baseAddress
        else { return text(bytes) }
        let start = texts.count
        texts.append(base, bytes.count)
        return SpanText(
            offset: UInt32(truncatingIfNeeded: start),
            count: UInt32(truncatingIfNeeded: bytes.count), isPlain: true)
    }

    /// Keeps a text: cut at the limit, malformed UTF-8 replaced, in small letters if asked for.
    func text(_ bytes: UnsafeRawBufferPointer, isSmall: Bool = false) -> SpanText {
        let kept = cut(bytes)
        let start = texts.count
        guard let base = kept.bindMemory(to: UInt8.self).baseAddress, start < Self.textByteLimit
        else { return .none }
        if isASCII(kept) {
            texts.append(base, kept.count)
        } else {
            _ = appendRepairingUTF8(kept, to: &texts)
        }
        if isSmall { makeSmall(from: start) }
        return SpanText(
            offset: UInt32(truncatingIfNeeded: start),
            count: UInt32(truncatingIfNeeded: texts.count - start))
    }

    /// Keeps a text.
    func text(_ string: String, isSmall: Bool = false) -> SpanText {
        var string = string
        return string.withUTF8 { text(UnsafeRawBufferPointer($0), isSmall: isSmall) }
    }

    private func cut(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard bytes.count > limits.textBytes else { return bytes }
        limited.texts += 1
        var end = limits.textBytes
        // Not within a character.
        while end > 0, bytes[end] & 0xc0 == 0x80 { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[..<end])
    }

    private func makeSmall(from start: Int) {
        var needsCare = false
        for byte in texts.bytes[start...] where byte >= 0x80 || byte &- 0x41 < 26 {
            needsCare = true
            break
        }
        guard needsCare else { return }
        let small = String(decoding: texts.bytes[start...], as: UTF8.self).lowercased()
        texts.truncate(to: start)
        texts.append(small)
    }

    /// Adds a tag to the span under construction; a key's last value stays.
    @inline(__always)
    func addTag(_ key: SpanText, _ value: SpanText) {
        guard tags.count &- openTag < limits.tags else {
            limited.tags += 1
            return
        }
        tags.append(SpanTag(prefix: prefix(of: key), key: key, value: value))
    }

    /// Adds an annotation to the span under construction.
    func addAnnotation(_ timestamp: UInt64, _ value: SpanText) {
        guard openAnnotations.count < limits.annotations else {
            limited.annotations += 1
            return
        }
        openAnnotations.append(SpanAnnotation(timestamp: timestamp, value: value))
    }

    /// Forgets the tags and annotations of the span under construction.
    public func abandon() {
        tags.removeSubrange(openTag...)
        openAnnotations.removeAll(keepingCapacity: true)
    }

    /// Appends the span under construction, with its tags and annotations in order.
    func append(_ span: TraceSpan) throws(SpanDecodingError) {
        guard spans.count < limits.spans else {
            throw SpanDecodingError("more than \(limits.spans) spans", isOverLimit: true)
        }
        guard texts.count < Self.textByteLimit else {
            throw SpanDecodingError("too much text", isOverLimit: true)
        }
        var span = span
        if span.parentID == span.id { span.parentID = 0 }
        if !commonTags.isEmpty { addCommonTags() }
        span.firstTag = UInt32(truncatingIfNeeded: openTag)
        span.firstAnnotation = UInt32(truncatingIfNeeded: annotations.count)
        closeTags()
        closeAnnotations()
        span.tagCount = UInt32(truncatingIfNeeded: tags.count) &- span.firstTag
        span.annotationCount =
            UInt32(truncatingIfNeeded: annotations.count) &- span.firstAnnotation
        openTag = tags.count
        spans.append(span)
    }

    /// Puts the common tags before the span's own, which win over them.
    private func addCommonTags() {
        let common = commonTags.map { tag in
            let key = text(tag.key)
            return SpanTag(prefix: prefix(of: key), key: key, value: text(tag.value))
        }
        tags.insert(contentsOf: common, at: openTag)
    }

    /// Puts the tags of the span under construction in the order of their keys, each once.
    private func closeTags() {
        let count = tags.count &- openTag
        guard count > 1 else { return }
        var kept = count
        tags.withUnsafeMutableBufferPointer { all in
            var open = UnsafeMutableBufferPointer(rebasing: all[openTag...])
            if count <= 64 {
                for index in 1..<count {
                    let tag = open[index]
                    var place = index
                    while place > 0, isBefore(tag, open[place &- 1]) {
                        open[place] = open[place &- 1]
                        place &-= 1
                    }
                    open[place] = tag
                }
            } else {
                open.sort(by: isBefore)
            }
            kept = 1
            for index in 1..<count {
                if open[index].prefix == open[kept &- 1].prefix,
                    isSame(open[index].key, open[kept &- 1].key)
                {
                    open[kept &- 1] = open[index]
                } else {
                    open[kept] = open[index]
                    kept &+= 1
                }
            }
        }
        if kept < count { tags.removeLast(count &- kept) }
    }

    private func closeAnnotations() {
        guard !openAnnotations.isEmpty else { return }
        if openAnnotations.count > 1 {
            openAnnotations.sort {
                $0.timestamp == $1.timestamp
                    ? compare($0.value, $1.value) < 0 : $0.timestamp < $1.timestamp
            }
        }
        let start = annotations.count
        for annotation in openAnnotations {
            if annotations.count > start, let last = annotations.last,
                last.timestamp == annotation.timestamp, isSame(last.value, annotation.value)
            {
                continue
            }
            annotations.append(annotation)
        }
        openAnnotations.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    private func isBefore(_ left: SpanTag, _ right: SpanTag) -> Bool {
        left.prefix == right.prefix ? compare(left.key, right.key) < 0 : left.prefix < right.prefix
    }

    @inline(__always)
    private func prefix(of key: SpanText) -> UInt64 {
        // Shorter keys may be read beyond their end.
        let word = UnsafeRawPointer(texts.pointer + Int(key.offset)).loadUnaligned(as: UInt64.self)
        let missing = UInt64(8 - min(8, Int(key.count))) * 8
        return missing == 64 ? 0 : (word.bigEndian >> missing) << missing
    }

    private func compare(_ left: SpanText, _ right: SpanText) -> Int32 {
        let order = memcmp(
            texts.pointer + Int(left.offset), texts.pointer + Int(right.offset),
            Int(min(left.count, right.count)))
        if order != 0 { return order }
        return left.count == right.count ? 0 : left.count < right.count ? -1 : 1
    }

    /// Whether two texts have the same bytes.
    public func isSame(_ left: SpanText, _ right: SpanText) -> Bool {
        left.count == right.count && compare(left, right) == 0
    }
}

/// Whether all bytes are below 0x80.
func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var place = 0
    while place &+ 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        if word & 0x8080_8080_8080_8080 != 0 { return false }
        place &+= 8
    }
    while place < bytes.count {
        if bytes[place] >= 0x80 { return false }
        place &+= 1
    }
    return true
}
