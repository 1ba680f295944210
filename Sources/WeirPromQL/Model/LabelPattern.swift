import Synchronization
import WeirCore

/// Why a label's pattern is refused.
public struct LabelPatternError: Error, Equatable, Sendable {
    /// What is wrong.
    public var message: String
    /// How to mend it.
    public var help: String
}

/// An RE2 pattern that must match a label's whole value.
///
/// Most patterns of the world are a text, some texts, or a beginning: those are compared, not matched.
public final class LabelPattern: Sendable {
    private enum Shape: Sendable {
        case anything
        case anythingNotEmpty
        case texts(Set<String>)
        case beginning(String)
        case pattern
    }

    /// A matcher belongs to one thread at a time.
    private struct Room: @unchecked Sendable {
        // Safe because whoever uses it has taken it out of the lock.
        var matcher: RegexMatcher?
    }

    private let regex: Regex
    private let shape: Shape
    private let room = Mutex(Room())
    private let overruns = Atomic<Int>(0)

    /// Whether some value was not decided, since it takes too many steps: it counts as one that does not
    /// match.
    public var isUnsure: Bool { overruns.load(ordering: .relaxed) > 0 }

    /// Compiles a pattern.
    public init(_ pattern: String) throws(LabelPatternError) {
        do throws(RegexError) {
            regex = try Regex(wholly: pattern)
        } catch {
            throw LabelPatternError(message: error.message, help: error.help)
        }
        shape = Self.shape(of: pattern)
    }

    private static func shape(of pattern: String) -> Shape {
        if pattern == ".*" { return .anything }
        if pattern == ".+" { return .anythingNotEmpty }
        let special: (Character) -> Bool = { "\\.+*?()|[]{}^$".contains($0) }
        if pattern.hasSuffix(".*"), !pattern.dropLast(2).contains(where: special) {
            return .beginning(String(pattern.dropLast(2)))
        }
        let parts = pattern.split(separator: "|", omittingEmptySubsequences: false)
        if parts.allSatisfy({ !$0.contains(where: special) }) {
            return .texts(Set(parts.map(String.init)))
        }
        return .pattern
    }

    /// The texts that match, where they can be told: then a label's values need not be looked through.
    public var texts: Set<String>? {
        if case .texts(let texts) = shape { texts } else { nil }
    }

    /// Whether a value matches.
    public func matches(_ value: String) -> Bool {
        switch shape {
        case .anything: true
        case .anythingNotEmpty: !value.isEmpty
        case .texts(let texts): texts.contains(value)
        case .beginning(let text): value.utf8.starts(with: text.utf8)
        case .pattern: withMatch(of: value) { _, _ in true } ?? false
        }
    }

    /// What the groups of a match hold, the whole match first; `nil` where the value does not match.
    public func captures(in value: String) -> [String]? {
        withMatch(of: value) { matcher, bytes in
            (0...matcher.groupCount).map { number in
                guard let range = matcher.group(number: number), range.upperBound <= bytes.count
                else { return "" }
                return String(
                    decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
            }
        }
    }

    /// The number of a named group.
    public func groupNumber(named name: String) -> Int? {
        regex.groupNumber(named: name)
    }

    private func withMatch<R>(
        of value: String, _ body: (RegexMatcher, UnsafeRawBufferPointer) -> R
    ) -> R? {
        // Taken out while it is used: another thread makes one of its own.
        let taken = room.withLock { room in
            let taken = room
            room.matcher = nil
            return taken
        }
        let matcher = taken.matcher ?? RegexMatcher(regex)
        defer { room.withLock { $0.matcher = matcher } }
        var value = value
        return value.withUTF8 { text -> R? in
            let bytes = UnsafeRawBufferPointer(text)
            switch matcher.match(bytes) {
            case .matched: return body(matcher, bytes)
            case .overLimit:
                overruns.wrappingAdd(1, ordering: .relaxed)
                return nil
            default: return nil
            }
        }
    }
}
