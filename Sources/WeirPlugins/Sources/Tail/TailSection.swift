import WeirConfig
import WeirCore
import WeirParse
import WeirPipeline

extension TailSource {
    fileprivate enum P {
        static let path = Parameter.text(
            "path", "The files to follow: paths between commas, with `*` and dates.")
        static let pathDelimiter = Parameter.text(
            "path_delimiter", default: ",", "What stands between paths.")
        static let pathZone = Parameter.text(
            "path_timezone", default: "", "The zone of dates in paths, as `+09:00`.")
        static let globPolicy = Parameter<TailOptions.GlobPolicy>.choice(
            "glob_policy", default: .backwardCompatible, "Which wildcards a path may have.")
        static let excludePath = Parameter.list(
            "exclude_path", default: [], "Files to leave alone, with wildcards.")
        static let tag = Parameter.text(
            "tag", "The events' tag; `*` becomes the path with dots for slashes.")
        static let posFile = Parameter.text(
            "pos_file", default: "", "The file that remembers how far reading got.")
        static let readFromHead = Parameter.flag(
            "read_from_head", default: false, "Whether files found at the start are read whole.")
        static let followInodes = Parameter.flag(
            "follow_inodes", default: false, "Whether positions belong to inodes, not to paths.")
        static let refreshInterval = Parameter.duration(
            "refresh_interval", default: .seconds(60), "How often files are looked for.")
        static let rotateWait = Parameter.duration(
            "rotate_wait", default: .seconds(5), "How long a rotated file is still followed.")
        static let recentlyModified = Parameter.duration(
            "limit_recently_modified", "Files unchanged for longer are left alone."
        ).optional
        static let bytesPerSecond = Parameter<Int>(
            "read_bytes_limit_per_second", type: "size", default: -1,
            "Most bytes read from one file in a second; -1 for no limit."
        ) { (text) throws(ValueError) in try ValueText.size(text) }
        static let maxLineSize = Parameter.size(
            "max_line_size", default: 1 << 20, "The longest line in bytes.")
        static let longLineAction = Parameter<TailOptions.LongLineAction>.choice(
            "long_line_action", default: .drop, "What becomes of a longer line.")
        static let partialLineTimeout = Parameter.duration(
            "partial_line_timeout",
            "How long a last line without line end is waited for; not written: for ever."
        ).optional
        static let emitUnmatched = Parameter.flag(
            "emit_unmatched_lines", default: false,
            "Whether a line that does not parse becomes the field `unmatched_line`.")
        static let pathKey = Parameter.text("path_key", default: "", "A field for the file's path.")
        static let encoding = Parameter.text("encoding", default: "", "The encoding of records.")
        static let fromEncoding = Parameter.text(
            "from_encoding", default: "", "The encoding of files.")
        static let ignorePermission = Parameter.flag(
            "ignore_repeated_permission_error", default: true,
            "Whether a file that may not be read is reported once (Fluentd: each time).")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .source, type: "tail", "Follows log files through rotation and restarts.",
        parameters: [
            AnyParameter(P.path), AnyParameter(P.pathDelimiter), AnyParameter(P.pathZone),
            AnyParameter(P.globPolicy), AnyParameter(P.excludePath), AnyParameter(P.tag),
            AnyParameter(P.posFile), AnyParameter(P.readFromHead), AnyParameter(P.followInodes),
            AnyParameter(P.refreshInterval), AnyParameter(P.rotateWait),
            AnyParameter(P.recentlyModified), AnyParameter(P.bytesPerSecond),
            AnyParameter(P.maxLineSize), AnyParameter(P.longLineAction),
            AnyParameter(P.partialLineTimeout), AnyParameter(P.emitUnmatched),
            AnyParameter(P.pathKey), AnyParameter(P.encoding), AnyParameter(P.fromEncoding),
            AnyParameter(P.ignorePermission),
        ],
        ignored: [
            IgnoredParameter(
                "pos_file_compaction_interval", because: "the file is written whole each time"),
            IgnoredParameter(
                "skip_refresh_on_startup", because: "looking for files takes milliseconds"),
            IgnoredParameter(
                "read_lines_limit", because: "files are read in blocks, in fair turns"),
            IgnoredParameter("enable_watch_timer", because: "the timer and inotify work together"),
            IgnoredParameter("enable_stat_watcher", because: "the timer and inotify work together"),
            IgnoredParameter(
                "open_on_every_update", because: "a rotated file stays readable while it is open"),
            IgnoredParameter(
                "multiline_flush_interval",
                because: "`partial_line_timeout` says it for all parsers"),
        ],
        sections: [
            SectionDeclaration(
                "parse", .required, family: .parser,
                parameters: [AnyParameter(Parameter.text("@type", "The form of a line."))],
                "How lines are read.")
        ],
        examples: [
            "<source>\n  @type tail\n  path /var/log/istio/access.log\n"
                + "  pos_file /var/lib/weir/access.pos\n  tag istio.access\n"
                + "  <parse>\n    @type json\n  </parse>\n</source>"
        ])
}

extension TailOptions {
    private typealias P = TailSource.P

    /// Reads the section of a `<source>`.
    init(_ section: Section) throws(SectionError) {
        self.init()
        try readPaths(section)
        tag = section[P.tag]
        if !section[P.posFile].isEmpty { positionFile = section[P.posFile] }
        readsFromHead = section[P.readFromHead]
        followsInodes = section[P.followInodes]
        if followsInodes, positionFile == nil {
            throw SectionError(
                section.location(of: P.followInodes), "`follow_inodes` needs a `pos_file`",
                help: "add `pos_file PATH`, a file that Weir may write")
        }
        refreshInterval = section[P.refreshInterval]
        rotateWait = section[P.rotateWait]
        recentlyModified = section[P.recentlyModified]
        if section.isSet(P.bytesPerSecond), section[P.bytesPerSecond] > 0 {
            // Fluentd's least limit.
            bytesPerSecond = max(section[P.bytesPerSecond], 64 * 1024)
        }
        guard section[P.maxLineSize] > 0, section[P.maxLineSize] <= Self.largestLineByteLimit else {
            throw SectionError(
                section.location(of: P.maxLineSize), "`max_line_size` is out of range",
                help: "write a size from 1 byte to 64m")
        }
        lineByteLimit = section[P.maxLineSize]
        longLineAction = section[P.longLineAction]
        partialLineTimeout = section[P.partialLineTimeout]
        emitsUnmatchedLines = section[P.emitUnmatched]
        if !section[P.pathKey].isEmpty { pathKey = section[P.pathKey] }
        reportsPermissionOnce = section[P.ignorePermission]
        for parameter in [P.encoding, P.fromEncoding] where !section[parameter].isEmpty {
            let name = section[parameter].lowercased()
            guard ["utf-8", "utf8", "us-ascii", "ascii-8bit", "binary"].contains(name) else {
                throw SectionError(
                    section.location(of: parameter),
                    "Weir reads UTF-8, not `\(section[parameter])`",
                    help: "write logs in UTF-8; bytes that are not are replaced by U+FFFD")
            }
        }
    }

    private mutating func readPaths(_ section: Section) throws(SectionError) {
        let delimiter = section[P.pathDelimiter]
        guard delimiter.utf8.count == 1, !"/*%".contains(delimiter) else {
            throw SectionError(
                section.location(of: P.pathDelimiter),
                "`\(delimiter)` does not stand between paths",
                help: "write one byte that no path has, such as `,` or `|`")
        }
        globPolicy = section[P.globPolicy]
        if globPolicy == .always, delimiter == "," {
            throw SectionError(
                section.location(of: P.globPolicy), "`{a,b}` in a path needs another delimiter",
                help: "add `path_delimiter |`")
        }
        paths = section[P.path].split(separator: delimiter).map { path in
            String(path.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }.filter { !$0.isEmpty }
        guard !paths.isEmpty else {
            throw SectionError(
                section.location(of: P.path), "`path` names no file",
                help: "write the path of a log, such as `/var/log/istio/access.log`")
        }
        excludedPaths = section[P.excludePath]
        guard section.isSet(P.pathZone) else { return }
        guard let zone = TimeZone(offset: section[P.pathZone]) else {
            throw SectionError(
                section.location(of: P.pathZone),
                "`\(section[P.pathZone])` is not a zone that Weir knows",
                help: "write the distance from UTC, such as `+09:00`")
        }
        pathZone = zone
    }
}
