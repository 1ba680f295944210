import Testing
import WeirAgent
import WeirConfig
import WeirCore
import WeirTesting

/// One file and nothing else.
private struct OneFile: ConfigFiles {
    let bytes: [UInt8]
    var hostName: String { "kit-host.example" }

    func contents(of path: String) -> [UInt8]? { path == "weir.conf" ? bytes : nil }

    func paths(matching pattern: String) -> [String] { [] }

    func environment(_ name: String) -> String? { nil }
}

@Suite("A pipeline's configuration, whatever became of it", .timeLimit(.minutes(5)))
struct CheckFuzzTests {
    private static let inner = Array("<>/@#\"'\\{}[]:,$%*.()|^?+ \n_aeZ019-".utf8) + [0, 0xc3]

    /// Lines that bring parts of components together that the pipelines do not have.
    private static let lines = [
        "@type regexp", "@type multiline", "@type ltsv", "@type csv", "@type nginx", "@type cri",
        "@type envoy", "@type store", "@type file", "@type copy", "@type stdout", "@type parser",
        "expression /^(?<a>\\S+) (?<b>[^ ]*)$/i", "format1 /(?<a>.)/", "format_firstline /^\\d/",
        "format \"%START_TIME(%s.%3f)% %REQ(A?B):10%\"", "time_format %Y-%m-%dT%H:%M:%S.%L%z",
        "time_type mixed", "time_format_fallbacks [\"unixtime\", \"%s\"]", "types a:integer,b:time",
        "keys a,b,c", "timezone Europe/Berlin", "null_value_pattern /^-$/", "read_lines_limit 0",
        "flush_interval 1e9", "chunk_limit_size 8m", "total_limit_size 1", "timekey 1d",
        "<buffer time, tag, $.a.b>", "</buffer>", "<parse>", "</parse>", "<format>", "</format>",
        "<secondary>", "</secondary>", "<store>", "</store>", "<record>", "</record>", "<system>",
        "</system>", "<label @A>", "</label>", "@label @A", "@id x", "<regexp>", "</regexp>",
        "key $['a'][0]", "pattern /(/", "hosts http://u:p@h:1/x,b:2", "cloud_id a:Yg==", "port -1",
        "index_name a-%Y${tag[-1]}", "data_stream_name ${tag}", "logstash_format true",
        "name ${record.dig(\"a\", 0) || tag_parts[1]}", "v ${time.strftime('%Y')}", "enable_ruby",
        "path /var/log/*.log,/b/%Y.log", "tag a.*", "refresh_interval 0", "host_name 1.5",
    ]

    private static let pipelines =
        ["demo", "envoy-to-elasticsearch", "istio-guide", "kubernetes-daemonset"]
        .map { SourceTree.lines(of: "pipelines/\($0)/weir.conf") }.filter { !$0.isEmpty }

    @Test func `is sound, or every mistake in it is told at a place inside it`() {
        var chance = SeededGenerator(announcing: "CheckFuzzTests")
        let time = FuzzTime()
        #expect(!Self.pipelines.isEmpty)
        repeat {
            var lines = chance.pick(Self.pipelines)
            for _ in 0..<chance.number(0...6) {
                let place = chance.number(0...lines.count)
                lines.insert(chance.pick(Self.lines), at: place)
                if chance.once(in: 3) { lines.remove(at: chance.number(0...lines.count - 1)) }
            }
            var bytes = Array(lines.joined(separator: "\n").utf8)
            if chance.once(in: 2) { bytes = chance.mutated(bytes, with: Self.inner) }
            let texts = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
            for found in Agent.check("weir.conf", files: OneFile(bytes: bytes)) {
                let place = found.location
                let isInside =
                    place.line >= 1 && place.line <= texts.count && place.column >= 1
                    && place.column <= texts[place.line - 1].count + 1
                guard isInside else {
                    Issue.record("\(found), seed \(chance.seed)")
                    return
                }
            }
        } while time.isLeft
    }
}
