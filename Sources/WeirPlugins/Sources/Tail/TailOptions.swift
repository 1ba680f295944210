import WeirCore

/// What `@type tail` reads and how: Fluentd's parameters, and a few of Weir's.
public struct TailOptions: Sendable {
    /// What becomes of a line beyond the limit.
    public enum LongLineAction: String, Sendable, CaseIterable {
        /// The line is left out, as Fluentd does.
        case drop
        /// The line's beginning is kept.
        case truncate
    }

    /// Which characters make a path a pattern.
    public enum GlobPolicy: String, Sendable, CaseIterable {
        /// Only a path with `*` is a pattern.
        case backwardCompatible = "backward_compatible"
        /// `*`, `?` and `[…]`.
        case extended
        /// These and `{a,b}`.
        case always
    }

    /// How the bytes of the files are to be read.
    public enum Encoding: Sendable {
        /// UTF-8; what is not is replaced.
        case utf8
        /// One byte a character: each becomes the Unicode character of its number.
        case latin1
    }

    /// The paths and patterns to follow.
    public var paths: [String] = []
    /// Patterns of paths to leave alone.
    public var excludedPaths: [String] = []
    /// Which characters make a path a pattern.
    public var globPolicy = GlobPolicy.backwardCompatible
    /// The zone of dates in paths.
    public var pathZone: TimeZone = .local
    /// The tag; `*` stands for the path with dots for slashes.
    public var tag = ""
    /// The file of positions; `nil` for none.
    public var positionFile: String?
    /// Whether files that are there at the start are read from their beginning.
    public var readsFromHead = false
    /// Whether the position file is keyed by inode.
    public var followsInodes = false
    /// How often the patterns are looked through; Weir looks at least once a second.
    public var refreshInterval: Duration = .seconds(60)
    /// How long a rotated file is still watched for late lines.
    public var rotateWait: Duration = .seconds(5)
    /// Only files changed within this time are taken up from patterns.
    public var recentlyModified: Duration?
    /// Longest line in bytes.
    public var lineByteLimit = 1 << 20
    /// What becomes of longer ones.
    public var longLineAction = LongLineAction.drop
    /// Whether a line that does not parse becomes `{"unmatched_line": …}`.
    public var emitsUnmatchedLines = false
    /// A field that receives the file's path.
    public var pathKey: String?
    /// How the bytes are to be read.
    public var encoding = Encoding.utf8
    /// How long a last line without its line end is waited for; `nil` for as long as it takes.
    public var partialLineTimeout: Duration?
    /// How long the further lines of an event are waited for; `nil` for as long as it takes.
    public var multilineTimeout: Duration?
    /// Most bytes read from one file before the next has its turn.
    public var turnByteLimit = 256 * 1024
    /// Most bytes read from one file in a second; `nil` for no limit.
    public var bytesPerSecond: Int?
    /// Files that share a limit of lines.
    public var group: TailGroup?

    /// Fluentd's defaults.
    public init() {}
}
