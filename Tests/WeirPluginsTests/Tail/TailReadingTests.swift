import Testing
import WeirCore
import WeirHost
import WeirMetrics
import WeirTesting

@testable import WeirPlugins

@Suite("A tailed file") struct TailReadingTests {
    private func begin(_ extra: String = "", with text: String) throws -> TailRig {
        let rig = try TailRig(extra)
        rig.folder.write("a.log", text)
        try rig.start()
        rig.settle()
        return rig
    }

    // MARK: Unfinished lines

    @Test func `keeps a last line without its end until that comes`() throws {
        let rig = try begin(with: "l1\npar")
        rig.pass(seconds: 60)
        #expect(rig.sink.messages == ["l1"])
        #expect(rig.positions == ["a.log 3"])
        rig.folder.append("a.log", "tial\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "partial"])
    }

    @Test func `gives a last line without its end when it was rotated away`() throws {
        let rig = try begin(with: "l1\nlast")
        rig.folder.rename("a.log", "a.log.1")
        rig.folder.write("a.log", "n1\n")
        rig.pass(seconds: 3)
        #expect(rig.sink.messages == ["l1", "last", "n1"])
    }

    @Test func `waits for a line's end in a rotated file before it gives the line`() throws {
        let rig = try begin(with: "l1\nla")
        rig.pass(seconds: 10)
        rig.folder.rename("a.log", "a.log.1")
        rig.pass(seconds: 0.5)
        rig.folder.append("a.log.1", "st\n")
        rig.pass(seconds: 3)
        #expect(rig.sink.messages == ["l1", "last"])
    }

    @Test func `gives a last line without its end after the time for it`() throws {
        let rig = try begin("partial_line_timeout 2s", with: "l1\n")
        rig.folder.append("a.log", "pa")
        rig.pass(seconds: 1.5)
        rig.folder.append("a.log", "rt")
        rig.pass(seconds: 1.5)
        #expect(rig.sink.messages == ["l1"], "a growing line is waited for anew")
        rig.pass(seconds: 1)
        #expect(rig.sink.messages == ["l1", "part"])
        rig.folder.append("a.log", "\nnext\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "part", "next"], "its late end is no line of its own")
    }

    // MARK: Long lines

    @Test(arguments: [
        (TailOptions.LongLineAction.drop, ["a", "b"]), (.truncate, ["a", "xxxxxxxx", "b"]),
    ])
    func `drops or cuts a line beyond the limit and counts it`(
        action: TailOptions.LongLineAction, messages: [String]
    ) throws {
        for length in [9, 100, 1000] {
            let rig = try TailRig("max_line_size 8\nlong_line_action \(action.rawValue)")
            rig.setOptions { $0.turnByteLimit = 64 }
            let long = String(repeating: "x", count: length)
            rig.folder.write("a.log", "a\n\(long)")
            try rig.start()
            rig.settle()
            rig.folder.append("a.log", "xx\nb\n")
            rig.settle()
            #expect(rig.sink.messages == messages, "\(length)")
            #expect(rig.count("weir_tail_long_lines_total") == 1)
            #expect(rig.positions == ["a.log \(length + 7)"])
        }
    }

    @Test func `does not take the rest of an overlong line for a line after a restart`() throws {
        let rig = try TailRig("max_line_size 8\nlong_line_action truncate")
        rig.setOptions { $0.turnByteLimit = 64 }
        rig.folder.write("a.log", "a\n" + String(repeating: "x", count: 500))
        try rig.start()
        rig.settle()
        rig.stop()
        rig.folder.append("a.log", String(repeating: "y", count: 500) + "\nb\n")
        try rig.start()
        rig.settle()
        let events = rig.sink.events
        #expect(events.map(\.message) == ["a", "xxxxxxxx", "xxxxxxxx", "b"])
        #expect(events[1].identity == events[2].identity, "the line again, not another one")
    }

    // MARK: What lines become

    @Test func `loses the CR of a CR LF`() throws {
        let rig = try begin(with: "a\r\n\r\n\nb\n  c  \n")
        #expect(rig.sink.messages == ["a", "", "", "b", "  c  "])
    }

    @Test func `is read from ISO 8859-1`() throws {
        let rig = try TailRig("encoding utf-8\nfrom_encoding iso-8859-1")
        rig.folder.write("a.log", [0x63, 0x61, 0x66, 0xe9, 0x0a, 0x6f, 0x6b, 0x0a])
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["café", "ok"])
        #expect(rig.positions == ["a.log 8"])
    }

    @Test func `counts the bytes that are not UTF-8 and replaces them`() throws {
        let rig = try TailRig()
        rig.folder.write("a.log", [0x63, 0xe9, 0x20, 0x78, 0x0a])
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["c\u{fffd} x"])
        #expect(rig.count("weir_malformed_utf8_total") == 1)
    }

    @Test func `gives unparsed lines in their place, with a time field taken away from others`()
        throws
    {
        let rig = try TailRig(
            source: """
                <source>
                  @type tail
                  path DIR/a.log
                  tag *
                  read_from_head true
                  emit_unmatched_lines true
                  path_key file
                  <parse>
                    @type json
                  </parse>
                </source>
                """)
        rig.folder.write("a.log", "{\"time\":5,\"a\":1}\nno\u{22}pe\n{\"time\":6,\"a\":2}\n")
        try rig.start()
        rig.settle()
        let path = rig.folder.place("a.log")
        let first: Record = ["a": .integer(1), "file": .string(path)]
        let second: Record = ["unmatched_line": .string("no\"pe"), "file": .string(path)]
        let third: Record = ["a": .integer(2), "file": .string(path)]
        #expect(rig.sink.events.map(\.record) == [first, second, third])
        #expect(rig.sink.events.first?.time == Timestamp(seconds: 5))
        #expect(rig.sink.events.first?.tag == String(path.dropFirst()).replacing("/", with: "."))
        #expect(rig.count("weir_parse_failures_total", [Label("reason", "unmatched")]) == 1)
    }

    // MARK: Turns and limits

    @Test func `tells how far it is behind its writer`() throws {
        let rig = try begin(with: "l1\n")
        #expect(rig.gauge("weir_tail_file_lag_bytes", "a.log") == 0)
        rig.sink.setFull(true)
        rig.folder.append("a.log", "l2\n")
        rig.pass(seconds: 12)
        #expect(rig.gauge("weir_tail_file_lag_bytes", "a.log") == 3)
        #expect((10...12).contains(rig.gauge("weir_tail_file_lag_seconds", "a.log")))
        rig.sink.setFull(false)
        rig.pass(seconds: 2)
        #expect(rig.gauge("weir_tail_file_lag_bytes", "a.log") == 0)
        #expect(rig.gauge("weir_tail_file_lag_seconds", "a.log") == 0)
    }

    private static let twoFiles = """
        <source>
          @type tail
          path DIR/a.log,DIR/b.log
          tag *
          read_from_head true
          <parse>
            @type none
          </parse>
        </source>
        """

    @Test func `has its turn while another is long`() throws {
        let rig = try TailRig(source: Self.twoFiles)
        rig.setOptions { $0.turnByteLimit = 64 }
        rig.folder.write("a.log", String(repeating: "a long file's line\n", count: 1000))
        rig.folder.write("b.log", "b1\n")
        try rig.start()
        rig.step()
        #expect(rig.sink.messages.contains("b1"))
        #expect(rig.sink.messages.count < 10)
        rig.settle()
        #expect(rig.sink.messages.count == 1001)
    }

    @Test func `is left alone while an output has no room`() throws {
        let rig = try TailRig()
        rig.sink.setFull(true)
        rig.folder.write("a.log", "l1\n")
        try rig.start()
        #expect(rig.step() == TailEngine.StepResult(hasRead: false, isBlocked: true))
        rig.sink.setFull(false)
        #expect(rig.step() == TailEngine.StepResult(hasRead: true, isBlocked: false))
        #expect(rig.sink.messages == ["l1"])
    }

    @Test func `is read no faster than its limit of bytes in a second`() throws {
        let rig = try TailRig("read_bytes_limit_per_second 64k")
        let line = String(repeating: "x", count: 1023) + "\n"
        rig.folder.write("a.log", String(repeating: line, count: 200))
        try rig.start()
        rig.pass(seconds: 1)
        #expect(rig.sink.messages.count == 64)
        rig.pass(seconds: 1)
        #expect(rig.sink.messages.count == 128)
        rig.pass(seconds: 5)
        #expect(rig.sink.messages.count == 200)
        #expect(rig.count("weir_tail_throttled_total") > 0)
    }

    @Test func `shares the lines that its group may have`() throws {
        let rig = try TailRig(
            source: Self.twoFiles.replacing(
                "<parse>",
                with: #"""
                    <group>
                      pattern /(?<name>[a-z])\.log$/
                      rate_period 2s
                      <rule>
                        match {"name": "/^[ab]$/"}
                        limit 10
                      </rule>
                    </group>
                    <parse>
                    """#))
        for name in ["a", "b"] {
            rig.folder.write("\(name).log", (1...12).map { "\(name)\($0)\n" }.joined())
        }
        try rig.start()
        rig.pass(seconds: 1.9)
        #expect(rig.sink.messages.filter { $0.hasPrefix("a") } == (1...5).map { "a\($0)" })
        #expect(rig.sink.messages.count == 10)
        rig.pass(seconds: 6)
        #expect(rig.sink.messages.count == 24)
    }

    // MARK: Files that cannot be read

    @Test func `is reported once when it cannot be read, and tried again`() throws {
        let rig = try TailRig()
        rig.folder.write("a.log", "l1\n")
        rig.setUnreadable("a.log", true)
        try rig.start()
        rig.pass(seconds: 10)
        #expect(rig.reports.count == 1)
        rig.setUnreadable("a.log", false)
        rig.settle()
        #expect(rig.sink.messages == ["l1"])
    }

    @Test func `keeps its position while it cannot be read`() throws {
        let rig = try begin(with: "l1\n")
        rig.stop()
        rig.setUnreadable("a.log", true)
        try rig.start()
        rig.pass(seconds: 3)
        rig.stop()
        rig.folder.append("a.log", "l2\n")
        rig.setUnreadable("a.log", false)
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2"])
    }

    @Test func `is read on from its start when it was unreadable at first`() throws {
        let rig = try TailRig(source: Self.twoFiles.replacing("read_from_head true", with: ""))
        rig.folder.write("a.log", "old\n")
        rig.setUnreadable("a.log", true)
        try rig.start()
        rig.pass(seconds: 2)
        rig.setUnreadable("a.log", false)
        rig.pass(seconds: 2)
        rig.folder.append("a.log", "new\n")
        rig.settle()
        #expect(rig.sink.messages == ["new"], "it was there at the start")
    }

    // MARK: Finding files

    @Test func `is let go when its path's date is over, and known when it comes back`() throws {
        let rig = try TailRig(
            source: TailRotationTests.globSource.replacing(
                "rotate_wait 1s", with: "rotate_wait 1s\nlimit_recently_modified 1h"))
        rig.folder.write("a.log", "l1\n")
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages == ["l1"])
        rig.folder.setModified("a.log", secondsAgo: 7200)
        rig.pass(seconds: 4)
        #expect(rig.positions.isEmpty)
        rig.folder.append("a.log", "l2\n")
        rig.settle()
        #expect(rig.sink.messages == ["l1", "l2"])
    }

    @Test func `is found by patterns of folders, and left out by others`() throws {
        let rig = try TailRig(
            source: Self.twoFiles.replacing(
                "DIR/a.log,DIR/b.log",
                with: "DIR/**/*.log\n  exclude_path [\"DIR/**/x*.log\"]"))
        for name in ["a.log", "one/b.log", "one/two/c.log", "one/x.log", "d.txt", ".e/f.log"] {
            rig.folder.write(name, "\(name)\n")
        }
        try rig.start()
        rig.settle()
        #expect(rig.sink.messages.sorted() == ["a.log", "one/b.log", "one/two/c.log"])
    }
}
