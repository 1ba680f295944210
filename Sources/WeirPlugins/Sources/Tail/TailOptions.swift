/// What `@type tail` reads and how: Fluentd's parameters, and a few of Weir's.
public struct TailOptions: Sendable {
    /// What becomes of a line beyond the limit.
    public enum LongLineAction: String, Sendable, CaseIterable {
        /// The line is left out, as Fluentd does.
        case drop
        /// The line's beginning is kept.
        case truncate
    }

    /// The paths and patterns to follow.
    public var paths: [String] = []
    /// Patterns of paths to leave alone.
    public var excludedPaths: [String] = []
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
    /// How long a last line without its line end is waited for; `nil` for as long as it takes.
    public var partialLineTimeout: Duration?
    /// Most bytes read from one file before the next has its turn.
    public var turnByteLimit = 256 * 1024
    /// Whether a file that may not be read is reported once only.
    public var reportsPermissionOnce = true

    /// Fluentd's defaults.
    public init() {}
}
