import Testing
import WeirTesting

@testable import WeirCore

@Suite("Whatever the form of a time", .timeLimit(.minutes(5))) struct TimeFormatFuzzTests {
    /// Sequences that strftime and strptime share, and what they tell.
    private enum Part: CaseIterable {
        case date
        case time
        case fraction
        case zone

        /// Ways to write it; digits do not stand side by side.
        var forms: [String] {
            switch self {
            case .date:
                [
                    "%Y-%m-%d", "%d/%b/%Y", "%b %e %Y", "%Y.%j", "%A, %d %B %Y", "%a %m/%d %Y",
                    "%F", "%Y%m%d", "%e-%h-%Y",
                ]
            case .time: ["%H:%M:%S", "%I:%M:%S %p", "%T", "%H%M%S", "%S.%M.%H", "%p %I-%M-%S"]
            case .fraction: ["%N", "%9N", "%12N"]
            case .zone: ["%z", "%Z"]
            }
        }
    }

    private static let literals = [" ", "T", "%%", "%%T", "-", " [", "] ", "é", "x:", ",", "%%%%"]

    @Test func `a time that is written by a lossless form is read again as it was`() throws {
        var chance = SeededGenerator(announcing: "TimeFormatFuzzTests, lossless")
        let time = FuzzTime(shared: 2)
        repeat {
            var form = ""
            var parts = Part.allCases.shuffled(using: &chance).flatMap { chance.pick([[$0]]) }
            if chance.once(in: 6) { parts = [] }
            form = chance.pick(Self.literals)
            let pieces = parts.isEmpty ? ["%s", "%N"] : parts.map { chance.pick($0.forms) }
            for piece in pieces { form += piece + chance.pick(Self.literals) }
            // From the year 1 to 9998, so that no zone moves a time out of four digits.
            let seconds = Int64.random(in: -62_100_000_000...253_300_000_000, using: &chance)
            let moment = Timestamp(
                seconds: seconds, nanoseconds: UInt32(chance.number(0...999_999_999)))
            let offset = chance.number(-1439...1439) * 60
            let zone: TimeZone = chance.once(in: 3) ? .utc : .fixed(Int32(offset))
            let text = TimeFormat.text(of: moment, format: form, zone: zone)
            let read = try parse(text, TimeFormat(form), zone: .utc)
            guard read == moment else {
                Issue.record("\(form): \(text) of \(moment) read as \(String(describing: read))")
                return
            }
            #expect(String(validating: Array(text.utf8), as: UTF8.self) != nil)
        } while time.isLeft
    }

    @Test func `it is compiled or refused, and any text is read or refused`() {
        var chance = SeededGenerator(announcing: "TimeFormatFuzzTests, garbage")
        let letters = Array("YymbBhdejaAHkIlMSLNpPzZsntTXDxFRrcvCGVuw%-:0123456789^_E億٣é ")
        let texts = [
            "2026-11-24T09:20:39.123Z", "24/Nov/2026:09:20:39 +0100", "9", "-", "+23:59", "PM",
            "Monday", "99999999999999999", "  ", "feb", "60", "366", "\u{0}", "é", ".",
        ]
        let time = FuzzTime(shared: 2)
        repeat {
            var form = ""
            for _ in 0..<chance.number(0...6) {
                form += chance.once(in: 2) ? chance.pick([" ", "T", "é", "", ""]) : "%"
                form.append(chance.pick(letters))
            }
            let zone = chance.pick([
                TimeZone.utc, .local, .fixed(-86_340), TimeZone(named: "Europe/Berlin") ?? .utc,
            ])
            let seconds = chance.pick([
                Int64.min, Int64.max, 0, -1, Int64.random(in: .min ... .max, using: &chance),
                Int64(chance.number(0...1 << 34)),
            ])
            let moment = Timestamp(seconds: seconds, nanoseconds: 999_999_999)
            let written = TimeFormat.text(of: moment, format: form, zone: zone)
            #expect(written.utf8.count < 2000, "\(form)")
            var writer = ISO8601Writer(digits: chance.number(0...9))
            var buffer = ByteBuffer()
            writer.append(moment, offsetSeconds: zone.offsetSeconds(at: moment), to: &buffer)

            let text = chance.once(in: 2) ? written : chance.soup(of: texts, upTo: 4)
            let bytes = chance.mutated(Array(text.utf8), with: Array("0123456789-+:. TZ".utf8))
            bytes.withUnsafeBytes { bytes in
                if let format = try? TimeFormat(form) {
                    _ = format.parse(bytes, zone: zone, now: moment)
                    _ = format.parse(bytes, zone: zone, now: .epoch, rest: .anything)
                }
                if let found = TimeFormat.parseFreely(bytes, zone: zone, now: moment) {
                    #expect(found.time.nanoseconds < 1_000_000_000)
                }
            }
        } while time.isLeft
    }

    private func parse(_ text: String, _ format: TimeFormat, zone: TimeZone) -> Timestamp? {
        var text = text
        return text.withUTF8 {
            format.parse(UnsafeRawBufferPointer($0), zone: zone, now: .epoch)?.time
        }
    }
}
