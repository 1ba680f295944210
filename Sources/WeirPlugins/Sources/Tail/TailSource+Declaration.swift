import WeirConfig
import WeirCore
import WeirParse

private enum Parameters {
    static let path = Parameter.text(
        "path", "The files: paths and patterns, with dates as in strftime, separated by commas.")
    static let pathDelimiter = Parameter.text(
        "path_delimiter", default: ",", "What separates the paths.")
    static let pathTimezone = Parameter.text(
        "path_timezone", default: "", "The zone of dates in paths, such as `+09:00`.")
    static let globPolicy = Parameter<TailOptions.GlobPolicy>.choice(
        "glob_policy", default: .backwardCompatible,
        "Which characters make a path a pattern: `*`, also `?` and `[…]`, also `{a,b}`.")
    static let excludePath = Parameter.list(
        "exclude_path", default: [], "Paths and patterns to leave alone.")
    static let tag = Parameter.text(
        "tag", "The events' tag; `*` stands for the path with dots for slashes.")
    static let posFile = Parameter.text(
        "pos_file", default: "", "The file that keeps how far each file was delivered.")
    static let readFromHead = Parameter.flag(
        "read_from_head", default: false,
        "Whether files that are there at the start are read from their beginning.")
    static let followInodes = Parameter.flag(
        "follow_inodes", default: false, "Whether positions belong to inodes, not to paths.")
    static let refreshInterval = Parameter.duration(
        "refresh_interval", default: .seconds(60),
        "How often patterns are looked through; Weir looks at least once a second.")
    static let rotateWait = Parameter.duration(
        "rotate_wait", default: .seconds(5), "How long a rotated file is watched for late lines.")
    static let recentlyModified = Parameter.duration(
        "limit_recently_modified", "Only files changed within this time are taken up."
    ).optional
    static let bytesPerSecond = Parameter.size(
        "read_bytes_limit_per_second", default: -1,
        "Most bytes read from one file in a second, at least 64k; -1 for no limit.")
    static let maxLineSize = Parameter.size(
        "max_line_size", default: 1 << 20, "The longest line in bytes, at most 32m.")
    static let longLineAction = Parameter<TailOptions.LongLineAction>.choice(
        "long_line_action", default: .drop,
        "What becomes of a longer line (Weir's own parameter).")
    static let partialLineTimeout = Parameter.duration(
        "partial_line_timeout",
        "How long a last line waits for its line end before it is taken without (Weir's own)."
    )
    .optional
    static let multilineFlushInterval = Parameter.duration(
        "multiline_flush_interval",
        "How long an event of several lines waits for its next line."
    ).optional
    static let emitUnmatchedLines = Parameter.flag(
        "emit_unmatched_lines", default: false,
        "Whether a line that does not parse becomes the field `unmatched_line`.")
    static let encoding = Parameter.text(
        "encoding", default: "utf-8", "The encoding of the events: `utf-8`.")
    static let fromEncoding = Parameter.text(
        "from_encoding", default: "", "The encoding of the files: `utf-8` or `iso-8859-1`.")
    static let pathKey = Parameter.text(
        "path_key", default: "", "A field that receives the file's path.")

    static let all = [
        AnyParameter(path), AnyParameter(pathDelimiter), AnyParameter(pathTimezone),
        AnyParameter(globPolicy), AnyParameter(excludePath), AnyParameter(tag),
        AnyParameter(posFile), AnyParameter(readFromHead), AnyParameter(followInodes),
        AnyParameter(refreshInterval), AnyParameter(rotateWait), AnyParameter(recentlyModified),
        AnyParameter(bytesPerSecond), AnyParameter(maxLineSize), AnyParameter(longLineAction),
        AnyParameter(partialLineTimeout), AnyParameter(multilineFlushInterval),
        AnyParameter(emitUnmatchedLines), AnyParameter(encoding), AnyParameter(fromEncoding),
        AnyParameter(pathKey),
    ]

    static let ignored = [
        IgnoredParameter(
            "pos_file_compaction_interval",
            because: "the position file is written whole each time, without entries of files gone"),
        IgnoredParameter(
            "skip_refresh_on_startup", because: "files are looked for while the agent runs already"),
        IgnoredParameter("read_lines_limit", because: "files are read in blocks, in fair turns"),
        IgnoredParameter(
            "enable_watch_timer", because: "Weir always looks once a second at least"),
        IgnoredParameter(
            "enable_stat_watcher", because: "Weir always takes the kernel's word as well"),
        IgnoredParameter(
            "open_on_every_update", because: "a file stays open until it is read to its end"),
        IgnoredParameter(
            "ignore_repeated_permission_error", because: "an unreadable file is reported once"),
    ]
}

private enum GroupParameters {
    /// Names of the files under `/var/log/containers`.
    static let containers =
        #"^\/var\/log\/containers\/(?<podname>[a-z0-9]([-a-z0-9]*[a-z0-9])?"#
        + #"(\/[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)_(?<namespace>[^_]+)_(?<container>.+)-"#
        + #"(?<docker_id>[a-z0-9]{64})\.log$"#
    static let pattern = Parameter.regex(
        "pattern", default: RegexLiteral(containers), "The paths, with a named group per part.")
    static let ratePeriod = Parameter.duration(
        "rate_period", default: .seconds(5), "The time to which the limits apply.")
    static let match = Parameter.map(
        "match", default: [:], "Patterns that the named parts of the path must match.")
    static let limit = Parameter.integer(
        "limit", default: -1, in: -1...Int.max,
        "Most lines of all files of the rule in a period; -1 for no limit.")

    static let section = SectionDeclaration(
        "group", parameters: [AnyParameter(pattern), AnyParameter(ratePeriod)],
        sections: [
            SectionDeclaration(
                "rule", .many, parameters: [AnyParameter(match), AnyParameter(limit)],
                "A limit for the files whose paths match.")
        ], "Limits the lines of groups of files.")
}

extension TailSource {
    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .source, type: "tail", "Follows files and reads each line as an event.",
        parameters: Parameters.all, ignored: Parameters.ignored,
        sections: [
            SectionDeclaration(
                "parse", .required, family: .parser, "How a line becomes a record."),
            GroupParameters.section,
        ],
        examples: [
            """
            <source>
              @type tail
              path /var/log/istio/access.log
              pos_file /var/lib/weir/istio.pos
              tag istio.access
              read_from_head true
              <parse>
                @type json
              </parse>
            </source>
            """
        ])
}

extension TailOptions {
    /// Longest line that may be asked for: a block must hold it twice.
    static let lineByteLimitLimit = 32 << 20
    /// Fewest bytes a second that a file can be limited to: Fluentd's block.
    private static let leastBytesPerSecond = 64 << 10

    /// Reads the options of a `<source>` with `@type tail`.
    public init(_ section: Section) throws(SectionError) {
        self.init()
        typealias P = Parameters
        try readPaths(section)
        tag = section[P.tag]
        guard !tag.isEmpty else {
            throw SectionError(
                section.location(of: P.tag), "the tag is empty", help: "write `tag istio.access`")
        }
        positionFile = section[P.posFile].isEmpty ? nil : section[P.posFile]
        readsFromHead = section[P.readFromHead]
        followsInodes = section[P.followInodes]
        guard !followsInodes || positionFile != nil else {
            throw SectionError(
                section.location(of: P.followInodes), "`follow_inodes` needs a `pos_file`",
                help: "add `pos_file /var/lib/weir/NAME.pos`")
        }
        refreshInterval = section[P.refreshInterval]
        rotateWait = section[P.rotateWait]
        recentlyModified = section[P.recentlyModified]
        longLineAction = section[P.longLineAction]
        partialLineTimeout = section[P.partialLineTimeout]
        multilineTimeout = section[P.multilineFlushInterval]
        emitsUnmatchedLines = section[P.emitUnmatchedLines]
        pathKey = section[P.pathKey].isEmpty ? nil : section[P.pathKey]
        try readLimits(section)
        encoding = try Self.encoding(section)
        group = try section.section("group").map { (group) throws(SectionError) in
            try TailGroup(group)
        }
    }

    private mutating func readPaths(_ section: Section) throws(SectionError) {
        typealias P = Parameters
        let delimiter = section[P.pathDelimiter]
        guard delimiter.count == 1, !"/*%".contains(delimiter) else {
            throw SectionError(
                section.location(of: P.pathDelimiter),
                "`\(delimiter)` cannot separate paths",
                help: "write one character other than `/`, `*` and `%`, such as `|`")
        }
        globPolicy = section[P.globPolicy]
        guard globPolicy != .always || delimiter != "," else {
            throw SectionError(
                section.location(of: P.globPolicy),
                "`glob_policy always` reads `{a,b}`, whose comma separates paths",
                help: "add `path_delimiter |`")
        }
        for part in section[P.path].split(separator: delimiter) {
            let path = String(part.drop(while: \.isWhitespace).trimmingEnd)
            if !path.isEmpty, !paths.contains(path) { paths.append(path) }
        }
        guard !paths.isEmpty else {
            throw SectionError(
                section.location(of: P.path), "there is no path in it",
                help: "write `path /var/log/istio/access.log`")
        }
        let braced = paths.first { $0.contains("{") && $0.contains("}") }
        if globPolicy == .extended, let braced {
            throw SectionError(
                section.location(of: P.path),
                "`\(braced)`: `glob_policy extended` does not read `{a,b}`",
                help: "write `glob_policy always` and `path_delimiter |`")
        }
        excludedPaths = section[P.excludePath]
        if section.isSet(P.pathTimezone) {
            guard let zone = TimeZone(offset: section[P.pathTimezone]) else {
                throw SectionError(
                    section.location(of: P.pathTimezone),
                    "`\(section[P.pathTimezone])` is not a zone that Weir knows",
                    help: "write the distance from UTC, such as `+09:00`")
            }
            pathZone = zone
        }
    }

    private mutating func readLimits(_ section: Section) throws(SectionError) {
        typealias P = Parameters
        lineByteLimit = section[P.maxLineSize]
        guard lineByteLimit > 0, lineByteLimit <= Self.lineByteLimitLimit else {
            throw SectionError(
                section.location(of: P.maxLineSize),
                "`max_line_size` is from 1 byte to 32m", help: "write `max_line_size 1m`")
        }
        let bytes = section[P.bytesPerSecond]
        if bytes > 0 { bytesPerSecond = max(bytes, Self.leastBytesPerSecond) }
    }

    private static func encoding(_ section: Section) throws(SectionError) -> Encoding {
        typealias P = Parameters
        let plain = ["utf-8", "utf8", "us-ascii", "ascii-8bit", "binary"]
        guard plain.contains(section[P.encoding].lowercased()) else {
            throw SectionError(
                section.location(of: P.encoding),
                "`\(section[P.encoding])` is not an encoding that Weir writes",
                help: "write `encoding utf-8`, and `from_encoding iso-8859-1` for such files")
        }
        let from = section[P.fromEncoding].lowercased()
        if !from.isEmpty, !section.isSet(P.encoding) {
            throw SectionError(
                section.location(of: P.fromEncoding), "`from_encoding` needs `encoding`",
                help: "add `encoding utf-8`")
        }
        if from.isEmpty || plain.contains(from) { return .utf8 }
        guard ["iso-8859-1", "iso8859-1", "latin1"].contains(from) else {
            throw SectionError(
                section.location(of: P.fromEncoding),
                "`\(section[P.fromEncoding])` is not an encoding that Weir reads",
                help: "write `utf-8` or `iso-8859-1`")
        }
        return .latin1
    }
}

extension TailGroup {
    /// Reads a `<group>`.
    init(_ section: Section) throws(SectionError) {
        typealias P = GroupParameters
        let pattern = try section[P.pattern].compiled(at: section.location(of: P.pattern))
        var rules: [Rule] = []
        for rule in section.sections("rule") {
            let place = rule.location(of: P.match)
            var patterns: [String: Regex] = [:]
            for (name, text) in rule[P.match].sorted(by: { $0.key < $1.key }) {
                guard pattern.groupNames.contains(name) else {
                    let names = pattern.groupNames.map { "`\($0)`" }.joined(separator: ", ")
                    throw SectionError(
                        place, "`pattern` has no group `\(name)`",
                        help: "it has \(names.isEmpty ? "none" : names)")
                }
                do {
                    patterns[name] = try ValueText.regex(text).compiled(at: place)
                } catch let error as SectionError {
                    throw error
                } catch {
                    throw SectionError(
                        place, "`\(text)` is not a pattern",
                        help: "write `{\"\(name)\": \"/^a$/\"}`")
                }
            }
            let limit = rule[P.limit]
            rules.append(Rule(patterns: patterns, lineLimit: limit < 0 ? nil : limit))
        }
        self.init(pattern: pattern, period: section[P.ratePeriod], rules: rules)
    }
}

extension Substring {
    /// The text without the blanks at its end.
    fileprivate var trimmingEnd: Substring {
        var text = self
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
