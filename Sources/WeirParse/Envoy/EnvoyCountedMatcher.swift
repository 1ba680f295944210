// Hot path: once per log line in one of Envoy's text formats, for nearly every line the only try.
import CShims

/// Finds the fields of a line that holds as many delimiters as its format, and so has one reading.
///
/// Where the literals of a format hold `n` quotes and a line has `n` quotes, no value has one:
/// each quote of the line is the format's. The same holds for the spaces between two such
/// literals. One pass counts the quotes and makes sure that the text is plain ASCII without
/// escapes; lines that are anything else are left to ``EnvoyLineMatcher``.
final class EnvoyCountedMatcher {
    /// Most quotes of a format.
    private static let quoteLimit = 64

    /// Some fields in a row with single spaces between them, and the literal behind the last.
    private struct Region {
        var first: Int
        var last: Int
        /// How many quotes of the literal behind it, and the place of the first in that literal.
        var quoteCount: Int
        var quoteOffset: Int
    }

    private let matcher: EnvoyLineMatcher
    private let regions: UnsafeMutableBufferPointer<Region>
    /// The fields whose values must be looked at: numbers, words of certain bytes or lengths.
    private let checked: UnsafeMutableBufferPointer<Int>
    private let headQuoteCount: Int
    private let quoteCount: Int
    private let quotes: UnsafeMutablePointer<Int>

    /// A matcher that leaves what it finds in `matcher`; `nil` for a format whose fields are not
    /// parted by literals with quotes and by single spaces.
    init?(_ matcher: EnvoyLineMatcher) {
        let literals = matcher.format.literals
        let count = matcher.count
        let quote = UInt8(ascii: "\"")
        guard count > 0 else { return nil }
        var regions: [Region] = []
        var first = 0
        for field in 0..<count {
            let literal = literals[field + 1]
            if field < count - 1, literal == [UInt8(ascii: " ")] { continue }
            let offset = literal.firstIndex(of: quote)
            guard field == count - 1 || offset != nil else { return nil }
            regions.append(
                Region(
                    first: first, last: field, quoteCount: literal.count { $0 == quote },
                    quoteOffset: offset ?? 0))
            first = field + 1
        }
        let total = literals.joined().count { $0 == quote }
        guard total <= Self.quoteLimit, literals.joined().allSatisfy({ $0 >= 0x20 && $0 < 0x7f })
        else { return nil }
        self.matcher = matcher
        self.regions = .allocate(capacity: regions.count)
        _ = self.regions.initialize(from: regions)
        let checked = (0..<count).filter { field in
            let region = regions.first { $0.first <= field && field <= $0.last }
            return matcher.needsLook(field, isSpaceFree: region.map { $0.first < $0.last } ?? false)
        }
        self.checked = .allocate(capacity: checked.count)
        _ = self.checked.initialize(from: checked)
        headQuoteCount = literals[0].count { $0 == quote }
        quoteCount = total
        quotes = .allocate(capacity: Self.quoteLimit + 1)
    }

    deinit {
        regions.deallocate()
        checked.deallocate()
        quotes.deallocate()
    }

    /// Finds the fields of a line of plain text; whether it did.
    func match(_ line: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        let first = matcher.literalLength(0)
        let limit = length &- matcher.literalLength(matcher.count)
        guard limit >= first, matcher.hasLiteral(0, line, 0),
            matcher.hasLiteral(matcher.count, line, limit), findQuotes(line, length)
        else { return false }
        var place = first
        var quote = headQuoteCount
        let last = matcher.count &- 1
        for region in regions {
            let isLast = region.last == last
            let end = isLast ? limit : quotes[quote] &- region.quoteOffset
            guard end >= place, cut(region, line, place, end) else { return false }
            if isLast { break }
            place = end &+ matcher.literalLength(region.last &+ 1)
            guard place <= limit, matcher.hasLiteral(region.last &+ 1, line, end) else {
                return false
            }
            quote &+= region.quoteCount
        }
        for field in checked {
            let (start, end) = (matcher.starts[field], matcher.ends[field])
            // The thorough search steps over the shortest value, so a shorter one has no reading.
            guard end &- start >= matcher.shortest(field), matcher.fits(field, line, start, end)
            else { return false }
        }
        return true
    }

    /// Notes the places of the quotes; whether they are as many as the format's, in plain text.
    @inline(__always)
    private func findQuotes(_ line: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        let (quotes, quoteCount) = (quotes, quoteCount)
        var count = 0
        var unplain: UInt32 = 0
        var place = 0
        while place < length {
            var found: UInt32 = 0
            var mask = weir_unplain_mask16(line + place, &found)
            let rest = length &- place
            if rest < 16 {
                let keep: UInt32 = (1 &<< UInt32(truncatingIfNeeded: rest)) &- 1
                mask &= keep
                found &= keep
            }
            unplain |= mask
            while found != 0 {
                if count == quoteCount { return false }
                quotes[count] = place &+ found.trailingZeroBitCount
                count &+= 1
                found &= found &- 1
            }
            place &+= 16
        }
        return unplain == 0 && count == quoteCount
    }

    /// Cuts a region at its spaces; whether they are as many as the format's.
    @inline(__always)
    private func cut(
        _ region: Region, _ line: UnsafePointer<UInt8>, _ start: Int, _ end: Int
    ) -> Bool {
        var start = start
        let (starts, ends) = (matcher.starts, matcher.ends)
        for field in region.first..<region.last {
            let space = Self.space(line, start, end)
            if space < 0 { return false }
            starts[field] = start
            ends[field] = space
            start = space &+ 1
        }
        starts[region.last] = start
        ends[region.last] = end
        return region.first == region.last || Self.space(line, start, end) < 0
    }

    /// The first space from `start` on and before `end`, or -1.
    @inline(__always)
    private static func space(_ line: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        var place = start
        while place < end {
            let mask = weir_equal_mask16(line + place, UInt8(ascii: " "))
            if mask != 0 {
                let found = place &+ mask.trailingZeroBitCount
                return found < end ? found : -1
            }
            place &+= 16
        }
        return -1
    }
}
