// Hot path: once per document.
import CShims
import WeirCore

/// The MD5 (RFC 1321) of documents, of which Zipkin makes their ids: several at a time.
///
/// One message after the other it would take half of all that a span costs: each step of MD5 waits
/// for the one before it, so eight messages side by side take little longer than one.
struct DocumentDigests {
    private static let byteCount = 16

    private var digests: [UInt8] = []

    /// Takes the digests of documents.
    /// - Parameter ranges: Where they stand in `bytes`.
    mutating func take(_ ranges: [Range<Int>], in bytes: UnsafeRawBufferPointer) {
        let laneCount = Int(WEIR_DIGEST_LANES)
        let groupCount = (ranges.count + laneCount - 1) / laneCount
        let size = laneCount * Self.byteCount
        digests.removeAll(keepingCapacity: true)
        digests.append(contentsOf: repeatElement(0, count: groupCount * size))
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
        var messages = [UnsafePointer<UInt8>?](repeating: base, count: laneCount)
        var lengths = [Int](repeating: 0, count: laneCount)
        digests.withUnsafeMutableBufferPointer { digests in
            for group in 0..<groupCount {
                for lane in 0..<laneCount {
                    let index = group * laneCount + lane
                    let range = index < ranges.count ? ranges[index] : 0..<0
                    messages[lane] = base + range.lowerBound
                    lengths[lane] = range.count
                }
                weir_md5_lanes(messages, lengths, digests.baseAddress.map { $0 + group * size })
            }
        }
    }

    /// Appends the 32 hexadecimal digits of a document's digest.
    func append(_ index: Int, to buffer: inout ByteBuffer) {
        buffer.appendInPlace(maximum: 32) { room in
            for place in 0..<Self.byteCount {
                let byte = digests[index &* Self.byteCount &+ place]
                room[2 &* place] = Self.digit(byte >> 4)
                room[2 &* place &+ 1] = Self.digit(byte & 15)
            }
            return 32
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? value &+ 0x30 : value &+ 0x57
    }
}
