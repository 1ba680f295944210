import Testing
import WeirCore

@Suite("An event's identity") struct EventIdentityTests {
    private func identities(_ text: String, origin: Origin, position: UInt64 = 0) -> [EventIdentity]
    {
        let batch = EventBatch()
        var text = text
        text.withUTF8 { batch.fillBlock(copying: UnsafeRawBufferPointer($0)) }
        batch.origin = origin
        _ = batch.cutLines(position: position)
        JSONLineScanner().scan(into: batch, time: .epoch)
        return batch.rows.indices.compactMap { EventIdentity(row: $0, in: batch) }
    }

    private let origin = Origin(high: 1, low: 2)

    @Test func `is the same whenever the line is read from the same place`() {
        let lines = #"{"a":"0123456789012345678901234567890123456789"}"# + "\n{\"b\":2}\n"
        let first = identities(lines, origin: origin)
        #expect(first == identities(lines, origin: origin))
        let rest = identities("{\"b\":2}\n", origin: origin, position: 49)
        #expect(rest == [first[1]])
    }

    @Test func `differs by origin, position, ordinal and content`() {
        let base = identities("{\"a\":1}\n", origin: origin)
        #expect(base != identities("{\"a\":1}\n", origin: Origin(high: 1, low: 3)))
        #expect(base != identities("{\"a\":1}\n", origin: origin, position: 1))
        #expect(base != identities("{\"a\":2}\n", origin: origin))
        let both = identities("[{\"a\":1},{\"a\":1}]\n", origin: origin)
        #expect(Set(both).count == 2)
    }

    @Test func `never changes between versions, since it names stored documents`() {
        let made = EventIdentity(
            origin: origin, position: 4711, ordinal: 0, content: 0x0123_4567_89ab_cdef)
        var text = ByteBuffer()
        made.appendBase64(to: &text)
        #expect(String(decoding: text.bytes, as: UTF8.self) == "eLOtEokMm_vC-XAkto-jBg")
    }

    @Test func `does not collide among a million neighbours`() {
        var seen: Set<EventIdentity> = []
        for position in 0..<1_000_000 as Range<UInt64> {
            seen.insert(
                EventIdentity(origin: origin, position: position, ordinal: 0, content: 1))
        }
        #expect(seen.count == 1_000_000)
    }
}
