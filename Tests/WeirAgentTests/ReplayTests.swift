import Testing
import WeirAlerts
import WeirConfig
import WeirCore
import WeirHost
import WeirTesting

@testable import WeirAgent

@Suite("Replays of old logs") struct ReplayTests {
    private let folder: ScratchFolder

    /// Rules on what is counted, as the test of the corpus has them worked out by hand.
    private static let rules = """
        groups:
        - name: hand
          rules:
          - alert: ManyUnavailable
            expr: sum(istio_requests_total{response_code="503"}) > 300
            for: 10s
          - alert: ErrorShare
            expr: sum(istio_requests_total{response_code=~"5.."}) / sum(istio_requests_total) > 0.092
          - alert: Quiet
            expr: sum(increase(istio_requests_total[10s])) == 0
            for: 5s
        """

    init() throws { folder = try ScratchFolder() }

    private func configure(rules: String, parse: String = "@type json", notify: String = "") {
        folder.write(rules, to: "rules.yml")
        folder.write(
            """
            <source>
              @type tail
              path /var/log/access.log
              pos_file \(folder.file("pos"))
              tag mesh
              <parse>
                \(parse)
              </parse>
            </source>
            <filter mesh>
              @type istio_metrics
            </filter>
            <match mesh>
              @type elasticsearch
              host nowhere.example.org
            </match>
            <alerting>
              rule_files \(folder.file("rules.yml"))
              evaluation_interval 5s
              \(notify)
            </alerting>
            """, to: "weir.conf")
    }

    private func replay(
        _ paths: [String], _ change: (inout Replay.Options) -> Void = { _ in }
    ) throws -> Replay.Report {
        var options = Replay.Options(config: folder.file("weir.conf"))
        change(&options)
        return try Replay(options, files: RealConfigFiles()).run(paths) { _ in }
    }

    private func text(_ timeline: ReplayTimeline) -> [String] {
        timeline.entries.map { entry in
            let time = TimeFormat.text(
                of: Timestamp(millisecondsSince1970: entry.time), format: "%H:%M:%S", zone: .utc)
            let alert = timeline.alerts[entry.alert]
            return "\(time) \(entry.change.rawValue) \(alert.name)"
                + (alert.labels == "{}" ? "" : " \(alert.labels)")
        }
    }

    // Counted from the raw lines by `start_time` at multiples of five seconds: 503 are 262 by 20:58:25, 322 by
    // 20:58:30 and 436 by 20:58:40; errors and all requests are 598 and 6,529 by 20:58:35 (0.0916), 688 and 7,456
    // by 20:58:40 (0.0923), 775 and 8,383 (0.0924), 856 and 9,310 (0.0919), 899 and 9,739 by 20:58:55 (0.0923);
    // after that there are no more.
    private static let timeline = [
        "20:58:30 pending ManyUnavailable", "20:58:40 firing ManyUnavailable",
        "20:58:40 firing ErrorShare", "20:58:50 resolved ErrorShare",
        "20:58:55 firing ErrorShare", "20:59:00 pending Quiet", "20:59:05 firing Quiet",
    ]

    @Test(
        "of a real Envoy's give the timeline that was worked out by hand",
        .enabled(if: SharedCases.arePresent),
        arguments: [("istio_json", "@type json"), ("istio_text", "@type envoy")])
    func corpus(_ name: String, _ parse: String) throws {
        configure(rules: Self.rules, parse: parse)
        let report = try replay([
            "\(try #require(SharedCases.root))/corpus/envoy/logs/client/\(name).log.gz"
        ])
        #expect(report.lineCount == 9_998)
        #expect(report.lateCount == 0 && report.failureCount == 0 && report.timelessCount == 0)
        #expect(text(report.timeline) == Self.timeline)
        #expect(
            report.timeline.told.map { $0.notification.groupKey } == [
                #"{}:{alertname="ErrorShare"}"#, #"{}:{alertname="ManyUnavailable"}"#,
                #"{}:{alertname="Quiet"}"#,
            ])
        let value = report.timeline.entries.first { $0.change == .pending }?.value
        #expect(value == 322)
    }

    // MARK: A log of its own

    /// Lines of one request each tenth of a second for a minute: from the 20th to the 40th second they fail.
    private func lines(from start: Int = 0, count: Int = 600) -> [String] {
        (start..<start + count).map { number in
            let seconds = number / 10
            let code = 20..<40 ~= seconds ? 503 : 200
            let time = "2026-11-01T12:\(two(seconds / 60)):\(two(seconds % 60)).\(number % 10)00Z"
            return """
                {"start_time":"\(time)","response_code":\(code),"method":"GET","duration":5,\
                "upstream_cluster":"outbound|80||shop.default.svc.cluster.local",\
                "protocol":"HTTP/1.1","response_flags":"-","bytes_sent":1,"bytes_received":1}
                """
        }
    }

    private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private static let failing = """
        groups:
        - name: own
          rules:
          - alert: Failing
            expr: >
              sum by (destination_service_name) (increase(istio_requests_total{response_code="503"}[10s])) > 0
        """

    private static let failingTimeline = [
        #"12:00:25 firing Failing {destination_service_name="shop"}"#,
        #"12:00:45 resolved Failing {destination_service_name="shop"}"#,
    ]

    private func write(_ lines: [String], to name: String = "log") -> String {
        folder.write(lines.joined(separator: "\n") + "\n", to: name)
        return folder.file(name)
    }

    @Test("take lines in any order within the window, and count those beyond it")
    func order() throws {
        configure(rules: Self.failing)
        let straight = try replay([write(lines())])
        #expect(text(straight.timeline) == Self.failingTimeline)
        var mixed = lines()
        for start in stride(from: 0, to: mixed.count, by: 50) {
            mixed[start..<start + 50].reverse()
        }
        let report = try replay([write(mixed)])
        #expect(report.lateCount == 0)
        #expect(text(report.timeline) == Self.failingTimeline)
        // Lines of the beginning at the end: their time is over, when the file is read piece by piece.
        let late = Array(lines(from: 600, count: 6_000)) + lines(count: 10)
        let other = try replay([write(late)])
        #expect(other.lateCount == 10 && other.lineCount == 6_010)
    }

    @Test("of several logs are as of one, in whatever order they are named")
    func several() throws {
        configure(rules: Self.failing)
        let all = lines()
        let (even, odd) = (0..<600).reduce(into: ([String](), [String]())) { parts, place in
            if place % 2 == 0 { parts.0.append(all[place]) } else { parts.1.append(all[place]) }
        }
        let report = try replay([write(odd, to: "b"), write(even, to: "a")])
        #expect(report.lineCount == 600 && report.lateCount == 0)
        #expect(text(report.timeline) == Self.failingTimeline)
        let halves = try replay([
            write(Array(all[300...]), to: "new"), write(Array(all[..<300]), to: "old"),
        ])
        #expect(halves.lateCount == 0 && text(halves.timeline) == Self.failingTimeline)
    }

    @Test("leave out lines of times that there are not, and go on")
    func impossibleTimes() throws {
        configure(
            rules: Self.failing,
            parse: "@type json\ntime_key start_time\ntime_type float\nkeep_time_key true")
        let times = ["9e17", "-9e17", "1e300", "1700000000.5", "1700000001"]
        let lines = times.map { #"{"start_time":\#($0),"response_code":200}"# }
        let report = try replay([write(lines)])
        #expect(report.lineCount == 5)
        #expect(report.timelessCount + report.failureCount == 3)
        #expect(report.span?.last ?? 0 < 1_700_000_100_000)
    }

    @Test("read what a container's runtime has written, too")
    func container() throws {
        configure(rules: Self.failing, parse: "@type cri\n<parse>\n@type json\n</parse>")
        let wrapped = lines().enumerated().map { place, line in
            let seconds = place / 10
            return "2026-11-01T12:00:\(two(seconds)).\(place % 10)00000000Z stdout F \(line)"
        }
        let report = try replay([write(wrapped)])
        #expect(report.failureCount == 0)
        #expect(text(report.timeline) == Self.failingTimeline)
    }

    @Test("compare rules, and tell of alerts as the configuration says")
    func comparing() throws {
        configure(
            rules: Self.failing,
            notify: "<notify>\n@type webhook\n@id team\nurl http://x\ngroup_interval 10s\n</notify>"
        )
        folder.write(
            Self.failing.replacing("> 0", with: "> 0\n    for: 10s"), to: "other.yml")
        let report = try replay([write(lines())]) { $0.compared = [folder.file("other.yml")] }
        #expect(text(report.timeline) == Self.failingTimeline)
        #expect(
            report.compared.map { text($0) } == [
                #"12:00:25 pending Failing {destination_service_name="shop"}"#,
                #"12:00:35 firing Failing {destination_service_name="shop"}"#,
                #"12:00:45 resolved Failing {destination_service_name="shop"}"#,
            ])
        #expect(
            report.timeline.told.map {
                "\($0.notification.receiver) \($0.notification.reason.rawValue)"
            } == ["team first notification", "team all alerts resolved"])
    }

    @Test("that cannot be are refused")
    func refusals() throws {
        func refusal(
            _ paths: [String], _ change: (inout Replay.Options) -> Void = { _ in }
        )
            -> String
        {
            do {
                _ = try replay(paths, change)
                return "none"
            } catch let error as Replay.Refusal {
                switch error {
                case .mistakes(let diagnostics): return diagnostics.map(\.message).joined()
                case .unreadable(let reason): return reason
                }
            } catch {
                return "\(error)"
            }
        }
        configure(rules: Self.failing)
        let log = write(lines())
        #expect(refusal([folder.file("nothing")]).contains("No such file"))
        #expect(refusal([log]) { $0.rules = ["/nowhere/*.yml"] }.contains("no file matches"))
        folder.write("groups: [{name: a, rules: [{alert: A, expr: 'sum('}]}]", to: "bad.yml")
        #expect(refusal([log]) { $0.rules = [folder.file("bad.yml")] }.contains("unexpected end"))
        #expect(
            refusal([log]) { $0.timeKey = "other" }.contains("no line of the logs tells a time"))
        let apart = lines(count: 1) + [lines()[1].replacing("2026-11", with: "1971-01")]
        #expect(refusal([write(apart, to: "apart")]).contains("too far apart"))
        folder.write(Array("not a log of the format\n".utf8), to: "text")
        #expect(refusal([folder.file("text")]).contains("no line of the logs tells a time"))
        configure(rules: "groups: []")
        #expect(refusal([log]).contains("there are no rules to replay"))
    }
}
