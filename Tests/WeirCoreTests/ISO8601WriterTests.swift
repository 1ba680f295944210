import Testing
import WeirCore

@Suite("The ISO 8601 writer") struct ISO8601WriterTests {
    @Test(arguments: [
        (
            1_709_251_199 as Int64, 123_456_789 as UInt32, 0 as Int32,
            "2024-02-29T23:59:59.123456789+00:00"
        ),
        (1_709_251_199, 0, 32_400, "2024-03-01T08:59:59.000000000+09:00"),
        (-1, 5, -12_600, "1969-12-31T20:29:59.000000005-03:30"),
        (253_402_300_799, 999_999_999, 0, "9999-12-31T23:59:59.999999999+00:00"),
    ])
    func `writes date, time, fraction and offset`(
        seconds: Int64, nanoseconds: UInt32, offset: Int32, text: String
    ) {
        var writer = ISO8601Writer()
        var buffer = ByteBuffer()
        writer.append(
            Timestamp(seconds: seconds, nanoseconds: nanoseconds), offsetSeconds: offset,
            to: &buffer)
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == text)
    }

    @Test(arguments: [(0, "23:59:59Z"), (3, "23:59:59.123Z"), (6, "23:59:59.123456Z")])
    func `cuts the fraction to its digits`(digits: Int, end: String) {
        var writer = ISO8601Writer(digits: digits, offset: .zulu)
        var buffer = ByteBuffer()
        writer.append(Timestamp(seconds: 1_709_251_199, nanoseconds: 123_456_789), to: &buffer)
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == "2024-02-29T" + end)
    }

    @Test func `never traps at the ends of time`() {
        var writer = ISO8601Writer()
        var buffer = ByteBuffer()
        for seconds in [Int64.min, Int64.max, 0, -62_135_596_801] {
            writer.append(Timestamp(seconds: seconds), offsetSeconds: 50_000, to: &buffer)
        }
        #expect(buffer.count > 0)
    }
}
