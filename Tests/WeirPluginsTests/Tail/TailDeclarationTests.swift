import Testing
import WeirConfig
import WeirCore
import WeirParse

@testable import WeirPlugins

@Suite("The parameters of a tail") struct TailDeclarationTests {
    private func text(
        _ parameters: String, parse: String = "<parse>\n@type none\n</parse>"
    ) -> String {
        "<source>\n@type tail\n\(parameters)\n\(parse)\n</source>\n"
    }

    private func options(_ parameters: String) throws -> TailOptions {
        let (section, problems) = try TailRig.section(text(parameters))
        #expect(!problems.hasErrors, "\(problems)")
        return try TailOptions(section)
    }

    @Test func `have Fluentd's defaults`() throws {
        let options = try options("path /a.log\ntag t")
        #expect(options.paths == ["/a.log"])
        #expect(options.positionFile == nil)
        #expect(!options.readsFromHead)
        #expect(!options.followsInodes)
        #expect(options.refreshInterval == .seconds(60))
        #expect(options.rotateWait == .seconds(5))
        #expect(options.lineByteLimit == 1 << 20)
        #expect(options.longLineAction == .drop)
        #expect(options.bytesPerSecond == nil)
        #expect(options.partialLineTimeout == nil)
        #expect(options.group == nil)
    }

    @Test func `are read as they are written`() throws {
        let options = try options(
            """
            path  /a.log | /b/{x,y}.log |/a.log
            path_delimiter |
            path_timezone +09:00
            glob_policy always
            exclude_path ["/b/z*"]
            tag t.*
            pos_file /p
            read_from_head true
            follow_inodes true
            refresh_interval 2s
            rotate_wait 3s
            limit_recently_modified 1h
            read_bytes_limit_per_second 1k
            max_line_size 2k
            long_line_action truncate
            partial_line_timeout 4s
            multiline_flush_interval 5s
            emit_unmatched_lines true
            encoding utf-8
            from_encoding ISO-8859-1
            path_key file
            """)
        #expect(options.paths == ["/a.log", "/b/{x,y}.log"])
        #expect(options.pathZone == .fixed(9 * 3600))
        #expect(options.globPolicy == .always)
        #expect(options.excludedPaths == ["/b/z*"])
        #expect(options.tag == "t.*")
        #expect(options.positionFile == "/p")
        #expect(options.readsFromHead && options.followsInodes && options.emitsUnmatchedLines)
        #expect(options.refreshInterval == .seconds(2))
        #expect(options.rotateWait == .seconds(3))
        #expect(options.recentlyModified == .seconds(3600))
        #expect(options.bytesPerSecond == 64 << 10, "Fluentd's least")
        #expect(options.lineByteLimit == 2048)
        #expect(options.longLineAction == .truncate)
        #expect(options.partialLineTimeout == .seconds(4))
        #expect(options.multilineTimeout == .seconds(5))
        #expect(options.encoding == .latin1)
        #expect(options.pathKey == "file")
    }

    @Test(arguments: [
        "pos_file_compaction_interval 1h", "skip_refresh_on_startup true", "read_lines_limit 10",
        "enable_watch_timer false", "enable_stat_watcher false", "open_on_every_update true",
        "ignore_repeated_permission_error true",
    ])
    func `of Fluentd that Weir does not need are accepted with a note`(parameter: String) throws {
        let (_, problems) = try TailRig.section(text("path /a.log\ntag t\n\(parameter)"))
        #expect(problems.map(\.severity) == [.note])
    }

    @Test(arguments: [
        ("path /a.log", "weir.conf:1:1: `@type tail` needs `tag`"),
        ("tag t", "weir.conf:1:1: `@type tail` needs `path`"),
        (
            "path /a.log\ntag t\nposfile /p",
            "weir.conf:5:1: `@type tail` has no parameter `posfile`"
        ),
        ("path /a.log\ntag t\nglob_policy all", "weir.conf:5:13: `glob_policy`: "),
    ])
    func `are checked by their declaration`(parameters: String, message: String) throws {
        let (_, problems) = try TailRig.section(text(parameters))
        #expect(problems.first?.description.hasPrefix(message) == true, "\(problems)")
    }

    @Test(arguments: [
        (
            "path /a.log\ntag t\nfollow_inodes true",
            "weir.conf:5:15: `follow_inodes` needs a `pos_file`"
        ),
        ("path ,\ntag t", "weir.conf:3:6: there is no path in it"),
        ("path /a.log\ntag ", "weir.conf:4:5: the tag is empty"),
        (
            "path /a.log\ntag t\npath_delimiter /",
            "weir.conf:5:16: `/` cannot separate paths"
        ),
        (
            "path /a.log\ntag t\nglob_policy always",
            "weir.conf:5:13: `glob_policy always` reads `{a,b}`, whose comma separates paths"
        ),
        (
            "path /{a}.log\ntag t\nglob_policy extended",
            "weir.conf:3:6: `/{a}.log`: `glob_policy extended` does not read `{a,b}`"
        ),
        (
            "path /a.log\ntag t\npath_timezone Asia/Tokyo",
            "weir.conf:5:15: `Asia/Tokyo` is not a zone that Weir knows"
        ),
        (
            "path /a.log\ntag t\nmax_line_size 1g",
            "weir.conf:5:15: `max_line_size` is from 1 byte to 32m"
        ),
        (
            "path /a.log\ntag t\nmax_line_size 0",
            "weir.conf:5:15: `max_line_size` is from 1 byte to 32m"
        ),
        (
            "path /a.log\ntag t\nencoding cp932",
            "weir.conf:5:10: `cp932` is not an encoding that Weir writes"
        ),
        (
            "path /a.log\ntag t\nencoding utf-8\nfrom_encoding cp932",
            "weir.conf:6:15: `cp932` is not an encoding that Weir reads"
        ),
        (
            "path /a.log\ntag t\nfrom_encoding iso-8859-1",
            "weir.conf:5:15: `from_encoding` needs `encoding`"
        ),
        (
            "path /a.log\ntag t\n<group>\n<rule>\nmatch {\"pod\":\"/x/\"}\n</rule>\n</group>",
            "weir.conf:7:7: `pattern` has no group `pod`"
        ),
        (
            "path /a.log\ntag t\n<group>\n<rule>\nmatch {\"podname\":\"/(/\"}\n</rule>\n</group>",
            "weir.conf:7:7: the pattern `(` is broken"
        ),
    ])
    func `are refused at their place when they do not go together`(
        parameters: String, message: String
    ) throws {
        let (section, _) = try TailRig.section(text(parameters))
        let error = #expect(throws: SectionError.self) { try TailOptions(section) }
        let told = error?.diagnostic.description ?? ""
        #expect(told.hasPrefix(message), "\(told)")
        #expect(told.contains("\n  help: "))
    }

    @Test func `of a group find their rule by the path of a container's log`() throws {
        let options = try options(
            """
            path /a.log
            tag t
            <group>
              rate_period 30s
              <rule>
                limit 100
              </rule>
              <rule>
                match {"namespace": "/^kube-/", "podname": "/^dns/"}
                limit 0
              </rule>
            </group>
            """)
        let group = try #require(options.group)
        let id = String(repeating: "a", count: 64)
        #expect(group.period == .seconds(30))
        let dns = try #require(
            group.rule(for: "/var/log/containers/dns-1_kube-system_main-\(id).log"))
        #expect(group.rules[dns].lineLimit == 0)
        let other = try #require(group.rule(for: "/var/log/containers/web_default_main-\(id).log"))
        #expect(group.rules[other].lineLimit == 100)
        #expect(group.rule(for: "/var/log/other.log") == nil)
    }
}

@Suite("A path with a date or a pattern") struct TailPatternTests {
    private let time = Timestamp(seconds: 1_709_222_400)  // 2024-02-29T16:00:00Z

    @Test func `is filled in by the clock of its zone`() {
        var options = TailOptions()
        options.pathZone = .fixed(9 * 3600)
        #expect(TailPattern("/%Y/%m/%d.log", at: time, options).text == "/2024/03/01.log")
        options.pathZone = .utc
        #expect(TailPattern("/%Y%m%d/%%.log", at: time, options).text == "/20240229/%.log")
    }

    @Test(arguments: [
        (TailOptions.GlobPolicy.backwardCompatible, [true, false, false, false]),
        (.extended, [true, true, true, false]), (.always, [true, true, true, true]),
    ])
    func `is a pattern by the characters of its policy`(
        policy: TailOptions.GlobPolicy, expected: [Bool]
    ) {
        var options = TailOptions()
        options.globPolicy = policy
        let texts = ["/*.log", "/?.log", "/[a].log", "/{a,b}.log"]
        #expect(texts.map { TailPattern($0, at: time, options).isGlob } == expected)
    }
}
