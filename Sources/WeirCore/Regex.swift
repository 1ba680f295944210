import CPCRE2

/// Why a pattern is refused.
public struct RegexError: Error, Equatable, Sendable {
    /// What is wrong.
    public var message: String
    /// Where, as a byte offset into the pattern.
    public var offset: Int
    /// How to mend it.
    public var help: String
}

/// What became of a match.
public enum RegexOutcome: Sendable, Equatable {
    case matched
    case unmatched
    /// The pattern took more steps than its limit: it is not known whether it matches.
    case overLimit
}

/// A pattern in Ruby's dialect, or in RE2's, compiled by PCRE2 with its JIT.
///
/// Matches bytes: text that is not UTF-8 is matched as well as any other. Steps are limited, so no
/// input can make a pattern run for long.
public final class Regex: @unchecked Sendable {
    // Safe because a compiled pattern is never changed; each match has its own match data.

    /// Most steps of one match, in PCRE2's count.
    public static let stepLimit: UInt32 = 1_000_000
    /// Longest pattern in bytes.
    public static let patternByteLimit = 64 * 1024

    /// The pattern as it was written.
    public let pattern: String
    /// The names of its groups, each once, in the order of their first numbers.
    public let groupNames: [String]
    let code: OpaquePointer
    let context: OpaquePointer
    /// The last number of each name.
    let groupNumbers: [Int]
    /// The other numbers of names that stand for several groups, by the name's place, last first.
    let furtherNumbers: [Int: [Int]]

    /// Compiles a pattern in Ruby's dialect.
    public convenience init(
        _ pattern: String, ignoresCase: Bool = false, dotMatchesLineEnds: Bool = false
    ) throws(RegexError) {
        let translated = try RubyDialect.translate(pattern)
        // `^` and `$` stand at every line in Ruby.
        var options = PCRE2_MULTILINE | PCRE2_DUPNAMES
        if ignoresCase { options |= PCRE2_CASELESS }
        if dotMatchesLineEnds { options |= PCRE2_DOTALL }
        if translated.needsUnicode { options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF }
        try self.init(
            pattern, bytes: translated.bytes, options: options, groupNames: translated.groupNames)
    }

    /// Compiles what a pattern was translated to.
    /// - Parameter renamed: The names of groups that had to be called otherwise for PCRE2.
    init(
        _ pattern: String, bytes: [UInt8], options: UInt32, groupNames renamed: [String: String]
    ) throws(RegexError) {
        self.pattern = pattern
        var code: Int32 = 0
        var offset = 0
        let compiled = bytes.withUnsafeBufferPointer { bytes in
            pcre2_compile_8(bytes.baseAddress, bytes.count, options, &code, &offset, nil)
        }
        guard let compiled, let context = pcre2_match_context_create_8(nil) else {
            var message = [UInt8](repeating: 0, count: 256)
            pcre2_get_error_message_8(code, &message, message.count)
            let text = String(decoding: message.prefix { $0 != 0 }, as: UTF8.self)
            throw RegexError(
                message: "the pattern `\(pattern)` is broken: \(text)", offset: offset,
                help: "mend it near byte \(offset + 1)")
        }
        self.code = compiled
        self.context = context
        pcre2_set_match_limit_8(context, Self.stepLimit)
        pcre2_set_depth_limit_8(context, 10_000)
        pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE)
        let groups = Self.groups(of: compiled)
        var names: [String] = []
        var numbers: [Int] = []
        var further: [Int: [Int]] = [:]
        for (short, number) in groups {
            let name = renamed[short] ?? short
            if let place = names.firstIndex(of: name) {
                further[place] = [numbers[place]] + (further[place] ?? [])
                numbers[place] = number
            } else {
                names.append(name)
                numbers.append(number)
            }
        }
        groupNames = names
        groupNumbers = numbers
        furtherNumbers = further
    }

    deinit {
        pcre2_code_free_8(code)
        pcre2_match_context_free_8(context)
    }

    private static func groups(of code: OpaquePointer) -> [(name: String, number: Int)] {
        var count: UInt32 = 0
        var size: UInt32 = 0
        var table: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMECOUNT), &count)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMEENTRYSIZE), &size)
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_NAMETABLE), &table)
        guard let table else { return [] }
        return (0..<Int(count)).map { index in
            let entry = table + index * Int(size)
            let number = Int(entry[0]) << 8 | Int(entry[1])
            return (String(cString: entry + 2), number)
        }.sorted { $0.number < $1.number }
    }

    /// The number of a named group.
    public func groupNumber(named name: String) -> Int? {
        groupNames.firstIndex(of: name).map { groupNumbers[$0] }
    }

    /// Whether the pattern is found in a text; a match over its limit counts as none.
    public func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { RegexMatcher(self).match(UnsafeRawBufferPointer($0)) == .matched }
    }
}

/// Matches one pattern again and again without allocating. Belongs to one thread.
public final class RegexMatcher {
    private let regex: Regex
    private let state: OpaquePointer
    private let offsets: UnsafeMutablePointer<Int>

    /// A matcher of this pattern.
    public init(_ regex: Regex) {
        self.regex = regex
        guard let state = pcre2_match_data_create_from_pattern_8(regex.code, nil) else {
            fatalError("out of memory")
        }
        self.state = state
        offsets = pcre2_get_ovector_pointer_8(state)
    }

    deinit { pcre2_match_data_free_8(state) }

    /// Looks for the pattern in some bytes.
    /// - Parameter start: The first byte at which a match may begin.
    public func match(_ bytes: UnsafeRawBufferPointer, from start: Int = 0) -> RegexOutcome {
        var empty: UInt8 = 0
        let result = withUnsafePointer(to: &empty) { fallback in
            let base = bytes.bindMemory(to: UInt8.self).baseAddress ?? fallback
            return pcre2_match_8(regex.code, base, bytes.count, start, 0, state, regex.context)
        }
        if result > 0 { return .matched }
        return result == PCRE2_ERROR_NOMATCH ? .unmatched : .overLimit
    }

    /// The bytes of a group of the last match, by its place in ``Regex/groupNames``; `nil` when it
    /// took no part. Of several groups of one name the last that took part counts.
    public func group(_ index: Int) -> Range<Int>? {
        if let found = range(ofNumber: regex.groupNumbers[index]) { return found }
        guard !regex.furtherNumbers.isEmpty else { return nil }
        for number in regex.furtherNumbers[index] ?? [] {
            if let found = range(ofNumber: number) { return found }
        }
        return nil
    }

    /// The bytes of a group of the last match by its number; `nil` when it took no part.
    public func group(number: Int) -> Range<Int>? {
        number <= groupCount ? range(ofNumber: number) : nil
    }

    /// How many groups the pattern has.
    public var groupCount: Int { max(Int(pcre2_get_ovector_count_8(state)) - 1, 0) }

    /// The bytes of the whole last match.
    public var whole: Range<Int>? { range(ofNumber: 0) }

    private func range(ofNumber number: Int) -> Range<Int>? {
        let start = offsets[number * 2]
        let end = offsets[number * 2 + 1]
        // PCRE2 marks a group without part by the largest number; \K can put the end before the start.
        return start >= 0 && start <= end ? start..<end : nil
    }
}
