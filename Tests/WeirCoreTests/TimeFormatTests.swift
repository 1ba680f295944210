import Testing
import WeirCore

@Suite("A form of a time") struct TimeFormatTests {
    private let moment = Timestamp(seconds: 1_709_251_199, nanoseconds: 123_456_789)

    @Test func `takes a percent sign and the letter behind it for what they are`() throws {
        let format = try TimeFormat("%F%%T%T")
        var text = "2024-02-29%T23:59:59"
        let read = text.withUTF8 {
            format.parse(UnsafeRawBufferPointer($0), zone: .utc, now: .epoch)
        }
        #expect(read?.time.seconds == moment.seconds)
        #expect(TimeFormat.text(of: moment, format: "%F%%T%T", zone: .utc) == text)
    }

    @Test func `takes only plain digits for a width`() {
        #expect(TimeFormat.text(of: moment, format: "%3N", zone: .utc) == "123")
        #expect(TimeFormat.text(of: moment, format: "%٣N", zone: .utc) == "%٣N")
        #expect(TimeFormat.text(of: moment, format: "%億N", zone: .utc).utf8.count < 10)
    }
}
