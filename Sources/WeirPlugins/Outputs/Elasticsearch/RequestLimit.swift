/// The largest request that a cluster is trusted to take just now: half after each refusal for want
/// of resources, twice after each success, up to the user's limit.
///
/// Belongs to one sending thread.
final class RequestLimit: @unchecked Sendable {
    // Safe because a sender is used by one thread at a time.

    /// The smallest request that is worth its round trip.
    static let floor = 64 * 1024
    /// Beyond this a shrunken limit is forgotten.
    private static let ceiling = 64 * 1024 * 1024

    private let configured: Int?
    /// The limit now, in bytes before compression; `nil` for none.
    private(set) var byteCount: Int?

    /// A limit that has not been lowered.
    init(_ configured: Int?) {
        self.configured = configured
        byteCount = configured
    }

    /// A request of `size` bytes was too much.
    func shrink(from size: Int) {
        let half = max(size / 2, Self.floor)
        byteCount = min(half, configured ?? half)
    }

    /// A request was taken.
    func grow() {
        guard let now = byteCount, now != configured else { return }
        let doubled = now * 2
        if let configured, doubled >= configured {
            byteCount = configured
        } else {
            byteCount = doubled > Self.ceiling ? configured : doubled
        }
    }
}
