import Glibc
import WeirConfig
import WeirCore
import WeirHost
import WeirParse
import WeirPipeline
import WeirPlugins

/// Nanoseconds of CPU per event, stage by stage, on one thread.
struct Stages {
    static let eventCount = 20_000
    static let roundCount = 15
    private static let blockByteCount = 256 * 1024

    let batch = EventBatch(blockCapacity: Stages.blockByteCount)

    /// CPU seconds of this thread.
    static var cpuSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The best of some rounds, in nanoseconds per event.
    static func measure(_ body: () -> Void) -> Double {
        var best = Double.infinity
        for _ in 0..<roundCount {
            let start = cpuSeconds
            body()
            best = min(best, cpuSeconds - start)
        }
        return best / Double(eventCount) * 1e9
    }

    func eachBlock(_ text: borrowing ByteBuffer, _ body: () -> Void) {
        var place = 0
        let all = text.bytes
        while place < all.count {
            let size = min(Self.blockByteCount, all.count - place)
            batch.reset()
            batch.fillBlock(copying: UnsafeRawBufferPointer(rebasing: all[place..<(place + size)]))
            batch.tag = "istio.access"
            batch.origin = Origin(high: 1, low: 2)
            let used = batch.cutLines(position: UInt64(place))
            if used == 0 { return }
            body()
            place += used
        }
    }

    static func section(_ text: String, _ family: ComponentFamily) -> Section? {
        let (root, _) = ConfigReader.read(
            text: Array(text.utf8), name: "bench.conf", files: RealConfigFiles())
        guard let element = root.elements.first,
            let declaration = PluginCatalog.catalog.declaration(
                family, element["@type"]?.value.string ?? "")
        else { return nil }
        var diagnostics: [Diagnostic] = []
        return Section(
            element, as: declaration, catalog: PluginCatalog.catalog, into: &diagnostics)
    }

    static func parser(_ body: String) -> (any LineParser)? {
        section("<parse>\n\(body)\n</parse>\n", .parser).flatMap { try? ParserCatalog.parser($0) }
    }

    private static let expression =
        #"/^\[(?<start_time>[^\]]*)\] "(?<method>\S+) (?<path>\S+) (?<protocol>[^"]*)" "#
        + #"(?<response_code>\d+) (?<response_flags>\S+) (?<details>\S+) (?<termination>\S+) "#
        + #""(?<failure>[^"]*)" (?<received>\d+) (?<sent>\d+) (?<duration>\d+) (?<service_time>\S+) "#
        + #""(?<forwarded>[^"]*)" "(?<agent>[^"]*)" "(?<id>[^"]*)" "(?<authority>[^"]*)" "#
        + #""(?<host>[^"]*)" (?<cluster>\S+) (?<local>\S+) (?<downstream_local>\S+) "#
        + #"(?<downstream_remote>\S+) (?<server_name>\S+) (?<route>\S+)$/"#

    /// Prints the table.
    func run() {
        let json = LineGenerator.lines(Self.eventCount, .json)
        let text = LineGenerator.lines(Self.eventCount, .text)
        print("| stage | ns per event | formerly |\n| --- | --- | --- |")
        func row(_ name: String, _ nanoseconds: Double) {
            FormerFigures.printRow(name, "\(Int(max(nanoseconds, 0).rounded()))")
        }
        guard let jsonParser = Self.parser("@type json"),
            let envoyParser = Self.parser("@type envoy\nformat istio"),
            let regexpParser = Self.parser("@type regexp\nexpression \(Self.expression)"),
            let transform = Self.section(
                """
                <filter **>
                  @type record_transformer
                  <record>
                    service_name ${record["upstream_cluster"]}
                    node ${hostname}
                  </record>
                </filter>
                """, .filter
            ).flatMap({ try? RecordTransformerFilter($0, hostName: "node-1") }),
            let output = Self.section(
                "<match **>\n  @type elasticsearch\n  logstash_format true\n</match>\n", .output),
            let documents = try? DocumentEncoding(output)
        else { return print("the stages' configuration is broken") }
        let now = Timestamp(seconds: 1_790_000_000)
        let split = Self.measure { eachBlock(json) {} }
        row("copy and split, JSON lines of \(json.count / Self.eventCount) bytes", split)
        let scan = Self.measure { eachBlock(json) { jsonParser.parse(into: batch, now: now) } }
        row("JSON parse", scan - split)
        let textSplit = Self.measure { eachBlock(text) {} }
        let reading = Self.measure { eachBlock(text) { envoyParser.parse(into: batch, now: now) } }
        row("Envoy text parse, lines of \(text.count / Self.eventCount) bytes", reading - textSplit)
        let matching = Self.measure {
            eachBlock(text) { regexpParser.parse(into: batch, now: now) }
        }
        row("regexp parse of the same", matching - textSplit)
        let changed = Self.measure {
            eachBlock(json) {
                jsonParser.parse(into: batch, now: now)
                transform.apply(to: batch) { _, _ in }
            }
        }
        row("transform: two fields", changed - scan)
        var body = ByteBuffer(capacity: 1 << 25)
        let encoded = Self.measure {
            body.truncate(to: 0)
            eachBlock(json) {
                jsonParser.parse(into: batch, now: now)
                transform.apply(to: batch) { _, _ in }
                documents.append(batch, to: &body)
            }
        }
        row("bulk encoding with identity", encoded - changed)
        row("all of these", encoded)
        var compressed = ByteBuffer(capacity: 1 << 24)
        for (engine, name) in [(GzipStream.Engine.best, "best_speed"), (.zlib, "by zlib")] {
            let gzip = Self.measure {
                compressed.truncate(to: 0)
                _ = Gzip.compress(body.bytes, level: .fast, by: engine, into: &compressed)
            }
            row("gzip of the bulk body, \(name)", gzip)
        }
        runIstio(json, jsonParser, parsed: scan, row)
        storeRow(json, jsonParser, scan)
    }

    private func storeRow(
        _ lines: borrowing ByteBuffer, _ parser: any LineParser, _ parsing: Double
    ) {
        let now = Timestamp(seconds: 1_790_000_000)
        do {
            let (cost, count) = try StoreStage().run { body in
                eachBlock(lines) {
                    parser.parse(into: batch, now: now)
                    body(batch)
                }
            }
            let own = max(cost - parsing, 1)
            FormerFigures.printRow(
                "store: \(count) documents encoded and committed", "\(Int(own.rounded()))")
            print("\nthe store takes \(Int(1e9 / own)) documents a second a core\n")
        } catch {
            print("the store cannot be measured: \(error)")
        }
    }
}
