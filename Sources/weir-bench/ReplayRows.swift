import WeirAgent
import WeirConfig
import WeirCore
import WeirTesting

/// What old logs cost that are replayed through `istio_metrics` and three rules, every 5 seconds of their time.
struct ReplayRows {
    private static let lineCount = 500_000

    /// Prints the rows.
    static func run(_ row: (String, String) -> Void) throws {
        for (form, parse) in [(LineGenerator.Form.json, "json"), (.text, "envoy")] {
            let folder = try ScratchFolder()
            let lines = LineGenerator.lines(lineCount, form)
            folder.write(Array(lines.bytes), to: "log")
            write(parse, to: folder)
            var options = Replay.Options(config: folder.file("weir.conf"))
            // The generated lines' minutes and seconds do not follow each other.
            options.window = .seconds(120)
            let replay = try Replay(options, files: RealConfigFiles())
            let start = Stages.cpuSeconds
            let report = try replay.run([folder.file("log")]) { _ in }
            let cost = Stages.cpuSeconds - start
            precondition(
                report.lineCount == lineCount && report.lateCount == 0
                    && !report.timeline.entries.isEmpty, "the lines are replayed, and a rule fires")
            row(
                "\(form.rawValue) lines replayed with rules, per core and second",
                "\(Int(Double(lineCount) / cost / 1_000)) thousand")
        }
    }

    private static func write(_ parse: String, to folder: ScratchFolder) {
        folder.write(
            """
            groups:
            - name: bench
              rules:
              - alert: Errors
                expr: >
                  sum by (destination_service_name) (rate(istio_requests_total{response_code=~"5.."}[30s]))
                  / sum by (destination_service_name) (rate(istio_requests_total[30s])) > 0.01
              - alert: Busy
                expr: sum(rate(istio_requests_total[1m])) > 1e6
              - record: requests:rate1m
                expr: sum by (response_code) (rate(istio_requests_total[1m]))
            """, to: "rules.yml")
        folder.write(
            """
            <source>
              @type tail
              path /var/log/access.log
              pos_file \(folder.file("pos"))
              tag mesh
              <parse>
                @type \(parse)
              </parse>
            </source>
            <filter mesh>
              @type istio_metrics
            </filter>
            <match mesh>
              @type null
            </match>
            <alerting>
              rule_files \(folder.file("rules.yml"))
              evaluation_interval 5s
            </alerting>
            """, to: "weir.conf")
    }
}
