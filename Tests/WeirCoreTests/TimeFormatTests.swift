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

    @Test(arguments: [
        ("UTC", 0), ("GMT", 0), ("EST", 18_000), ("pdt", 25_200), ("JST", 0), ("Asia/Tokyo", 0),
        ("+09:00", -32_400),
    ])
    func `knows the zones by name that Ruby knows, and takes others for its own`(
        zone: String, seconds: Int64
    ) throws {
        let format = try TimeFormat("%F %T %Z")
        var text = "2024-02-29 23:59:59 \(zone)"
        let read = text.withUTF8 {
            format.parse(UnsafeRawBufferPointer($0), zone: .utc, now: .epoch)
        }
        #expect(read?.time.seconds == moment.seconds + seconds)
    }

    @Test(arguments: [
        "29/02/2024", "29 Feb 2024", "Feb 29 2024 00:00:00", "20240229", "202402290000",
        "2024-02-29 12:00 AM", "2024-02-28 19:00:00 EST",
    ])
    func `reads freely what Ruby's Time.parse reads`(text: String) {
        var text = text
        let read = text.withUTF8 {
            TimeFormat.parseFreely(UnsafeRawBufferPointer($0), zone: .utc, now: .epoch)
        }
        #expect(read?.time.seconds == 1_709_164_800)
    }
}
