import Glibc
import WeirCore
import WeirHost
import WeirTesting

/// The whole road of a log line: CPU and memory of a process that ships a file to a sink.
struct Road {
    /// What one process took.
    struct Cost {
        var cpuSeconds = 0.0
        var wallSeconds = 0.0
        var peakAnonymousKilobytes = 0
        var peakResidentKilobytes = 0
    }

    let lineCount: Int
    private let folder: ScratchFolder

    init(lineCount: Int) throws {
        self.lineCount = lineCount
        folder = try ScratchFolder()
    }

    /// Prints the table.
    func run(weir: String) throws {
        print(
            "| process | CPU seconds per million lines | ratio | peak anonymous MB | peak resident MB |"
        )
        print("| --- | --- | --- | --- | --- |")
        let first = try write(.json, "json.log")
        let json = try ship(first, "weir, JSON lines of \(first / lineCount) bytes", nil) { sink in
            try startWeir(weir, "json.log", "@type json", sink)
        }
        _ = try write(.text, "text.log")
        _ = try ship(first, "weir, Istio's text", json) { sink in
            try startWeir(weir, "text.log", "@type envoy", sink)
        }
        try count(weir, "json.log", "weir, tail and parse JSON only", "", json)
        try count(
            weir, "json.log", "weir, JSON to istio_metrics",
            "<filter **>\n  @type istio_metrics\n</filter>", json)
        try count(
            weir, "text.log", "weir, Istio's text to istio_metrics",
            "<filter **>\n  @type istio_metrics\n</filter>", json)
        try idle(weir)
        guard access("/usr/sbin/rsyslogd", X_OK) == 0 else {
            return print("rsyslog is not there: `make deps-bench` installs it")
        }
        _ = try ship(first, "rsyslog, JSON lines", json) { sink in try startRsyslog(sink) }
    }

    private func write(_ form: LineGenerator.Form, _ name: String) throws -> Int {
        var size = 0
        var number = 0
        folder.write("", to: name)
        while number < lineCount {
            var text = ByteBuffer(capacity: 1 << 24)
            for _ in 0..<min(10_000, lineCount - number) {
                LineGenerator.append(number, form, to: &text)
                number += 1
            }
            size += text.count
            folder.append(String(decoding: text.bytes, as: UTF8.self), to: name)
        }
        return size
    }

    private func startWeir(
        _ weir: String, _ log: String, _ parse: String, _ sink: BulkSink
    ) throws -> ChildProcess {
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <source>
              @type tail
              path \(folder.file(log))
              pos_file \(folder.file(log)).pos
              tag istio.access
              read_from_head true
              <parse>
                \(parse)
              </parse>
            </source>
            <filter istio.**>
              @type record_transformer
              <record>
                service_name ${record["upstream_cluster"]}
                node ${hostname}
              </record>
            </filter>
            <match istio.**>
              @type elasticsearch
              host 127.0.0.1
              port \(sink.port)
              logstash_format true
            </match>
            """, to: "weir.conf")
        return try ChildProcess(
            weir, ["run", "-c", folder.file("weir.conf")], log: folder.file("weir.out"))
    }

    private func startRsyslog(_ sink: BulkSink) throws -> ChildProcess {
        folder.write(
            """
            module(load="imfile")
            module(load="mmjsonparse")
            module(load="omelasticsearch")
            global(workDirectory="\(folder.path)" maxMessageSize="64k")
            template(name="document" type="subtree" subtree="$!")
            ruleset(name="ship") {
              action(type="mmjsonparse" cookie="")
              set $!service_name = $!upstream_cluster;
              set $!node = $hostname;
              action(type="omelasticsearch" server="127.0.0.1" serverport="\(sink.port)"
                template="document" searchIndex="logstash" searchType="_doc" bulkmode="on"
                queue.type="linkedlist" queue.size="100000" queue.dequeuebatchsize="5000"
                action.resumeretrycount="-1")
            }
            input(type="imfile" file="\(folder.file("json.log"))" tag="istio" ruleset="ship"
              freshStartTail="off")
            """, to: "rsyslog.conf")
        return try ChildProcess(
            "/usr/sbin/rsyslogd",
            ["-n", "-f", folder.file("rsyslog.conf"), "-i", folder.file("rsyslog.pid")],
            log: folder.file("rsyslog.out"))
    }

    /// Runs a process until the sink has every line, and prints what it took.
    private func ship(
        _ size: Int, _ name: String, _ base: Cost?, _ start: (BulkSink) throws -> ChildProcess
    ) throws -> Cost {
        let sink = BulkSink()
        let clock = SystemClock()
        let begin = clock.monotonicNanoseconds
        let process = try start(sink)
        var cost = Cost()
        while sink.documentCount < lineCount {
            let (anonymous, resident) = Self.memory(process.pid)
            cost.peakAnonymousKilobytes = max(cost.peakAnonymousKilobytes, anonymous)
            cost.peakResidentKilobytes = max(cost.peakResidentKilobytes, resident)
            usleep(5000)
            if clock.monotonicNanoseconds - begin > 600_000_000_000 { break }
        }
        cost.wallSeconds = Double(clock.monotonicNanoseconds - begin) / 1e9
        process.signal(SIGTERM)
        cost.cpuSeconds = Self.waitForUsage(process.pid) / Double(lineCount) * 1e6
        let ratio = base.map { Self.rounded(cost.cpuSeconds / $0.cpuSeconds) } ?? "1"
        let missing =
            sink.documentCount < lineCount ? ", only \(sink.documentCount) lines came" : ""
        print(
            "| \(name)\(missing) | \(Self.rounded(cost.cpuSeconds)) | \(ratio) | "
                + "\(Self.rounded(Double(cost.peakAnonymousKilobytes) / 1024)) | "
                + "\(Self.rounded(Double(cost.peakResidentKilobytes) / 1024)) |")
        return cost
    }

    /// Runs a process that delivers a log to nowhere until its position is at the end.
    private func count(
        _ weir: String, _ log: String, _ name: String, _ filters: String, _ base: Cost
    ) throws {
        // Of its own for each run: every one reads the log from its beginning.
        let positions = folder.file("\(name.filter { $0.isLetter }).pos")
        folder.write(
            """
            <system>
              admin_port 0
            </system>
            <source>
              @type tail
              path \(folder.file(log))
              pos_file \(positions)
              tag istio.access
              read_from_head true
              <parse>
                @type envoy
              </parse>
            </source>
            \(filters)
            <match **>
              @type null
            </match>
            """, to: "weir.conf")
        guard case .success(let status) = FileStatus.of(folder.file(log)) else { return }
        let digits = String(status.size, radix: 16)
        let end = String(repeating: "0", count: 16 - digits.count) + digits
        let process = try ChildProcess(
            weir, ["run", "-c", folder.file("weir.conf")], log: folder.file("weir.out"))
        var cost = Cost()
        for _ in 0..<6000 where AtomicFile.procText(positions)?.contains(end) != true {
            let (anonymous, resident) = Self.memory(process.pid)
            cost.peakAnonymousKilobytes = max(cost.peakAnonymousKilobytes, anonymous)
            cost.peakResidentKilobytes = max(cost.peakResidentKilobytes, resident)
            usleep(20_000)
        }
        let isWhole = AtomicFile.procText(positions)?.contains(end) == true
        process.signal(SIGTERM)
        cost.cpuSeconds = Self.waitForUsage(process.pid) / Double(lineCount) * 1e6
        print(
            "| \(name)\(isWhole ? "" : ", not to the end") | \(Self.rounded(cost.cpuSeconds)) | "
                + "\(Self.rounded(cost.cpuSeconds / base.cpuSeconds)) | "
                + "\(Self.rounded(Double(cost.peakAnonymousKilobytes) / 1024)) | "
                + "\(Self.rounded(Double(cost.peakResidentKilobytes) / 1024)) |")
    }

    private func idle(_ weir: String) throws {
        let sink = BulkSink()
        folder.write("", to: "idle.log")
        let process = try startWeir(weir, "idle.log", "@type json", sink)
        sleep(3)
        let (anonymous, resident) = Self.memory(process.pid)
        process.signal(SIGTERM)
        _ = Self.waitForUsage(process.pid)
        print(
            "| weir, idle | | | \(Self.rounded(Double(anonymous) / 1024)) | "
                + "\(Self.rounded(Double(resident) / 1024)) |")
    }

    /// `RssAnon` and `VmRSS` of a process, in kilobytes.
    static func memory(_ pid: pid_t) -> (anonymous: Int, resident: Int) {
        guard let bytes = AtomicFile.procText("/proc/\(pid)/status") else { return (0, 0) }
        func value(_ name: String) -> Int {
            guard let range = bytes.firstRange(of: "\(name):") else { return 0 }
            let rest = bytes[range.upperBound...].drop { $0 == " " || $0 == "\t" }
            return Int(rest.prefix { $0.isNumber }) ?? 0
        }
        return (value("RssAnon"), value("VmRSS"))
    }

    /// The CPU seconds of a process, user and system, after its end.
    static func waitForUsage(_ pid: pid_t) -> Double {
        var status: Int32 = 0
        var usage = rusage()
        while wait4(pid, &status, 0, &usage) < 0, errno == EINTR {}
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// A number with two decimals.
    static func rounded(_ number: Double) -> String {
        let hundredths = Int((number * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}

extension AtomicFile {
    /// The text of a file whose size is not known, as those of `/proc`.
    fileprivate static func procText(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var room = [UInt8](repeating: 0, count: 1 << 14)
        let count = fread(&room, 1, room.count, file)
        return String(decoding: room[..<count], as: UTF8.self)
    }
}
