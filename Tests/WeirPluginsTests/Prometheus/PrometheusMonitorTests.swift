import Testing
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

@Suite("Fluentd's monitors for Prometheus") struct PrometheusMonitorTests {
    private static func context() -> PluginContext {
        PluginContext(
            hostName: "host-1", nodeName: "node", registry: Registry(), clock: ManualClock(),
            refusals: NoRefusals(), outputByteLimit: 1 << 20, outputLog: { _ in },
            tailLog: { _ in })
    }

    private static func lines(
        _ type: String, _ body: String, _ context: PluginContext, seconds: Int64 = 100
    ) throws -> [String] {
        let (section, diagnostics) = ComponentSection.read(
            "<source>\n@type \(type)\n\(body)\n</source>\n", as: .source)
        guard let section else { throw ConfigurationError(diagnostics) }
        do {
            _ = try PrometheusMonitors.source(section, context: context)
        } catch {
            throw ConfigurationError([error.diagnostic])
        }
        context.series.activate()
        return shown(context, seconds: seconds)
    }

    private static func shown(_ context: PluginContext, seconds: Int64) -> [String] {
        String(
            decoding: context.registry.exposition(now: Timestamp(seconds: seconds)),
            as: UTF8.self
        ).split(separator: "\n").map(String.init).filter { $0.hasPrefix("fluentd_") }
    }

    private static func addOutput(_ context: PluginContext) {
        context.components.add(
            ObservedComponents.Output(name: "out_es", type: "elasticsearch") {
                var status = OutputStatus()
                status.stagedChunkCount = 2
                status.stagedByteCount = 300
                status.queuedChunkCount = 3
                status.totalByteCount = 1_000
                status.byteLimit = 4_000
                status.oldestTimeSlot = 60
                status.newestTimeSlot = 120
                status.retryCount = 4
                status.retryWaitSeconds = 1.5
                status.failureCount = 9
                status.batchCount = 10
                status.eventCount = 11
                status.sendCount = 12
                status.sendMilliseconds = 13
                status.slowSendCount = 1
                return status
            })
    }

    @Test func `show the buffers of outputs`() throws {
        let context = Self.context()
        Self.addOutput(context)
        let labels =
            #"{host="host-1",plugin_id="out_es",plugin_category="output",type="elasticsearch"}"#
        #expect(
            try Self.lines("prometheus_monitor", "<labels>\nhost ${hostname}\n</labels>", context)
                == [
                    "fluentd_status_buffer_newest_timekey\(labels) 120",
                    "fluentd_status_buffer_oldest_timekey\(labels) 60",
                    "fluentd_status_buffer_queue_length\(labels) 3",
                    "fluentd_status_buffer_total_bytes\(labels) 1000",
                    "fluentd_status_retry_count\(labels) 4",
                ])
    }

    @Test func `show how outputs are doing`() throws {
        let context = Self.context()
        Self.addOutput(context)
        let labels = #"{plugin_id="out_es",type="elasticsearch"}"#
        let expected = [
            "buffer_available_space_ratio": "75", "buffer_newest_timekey": "120",
            "buffer_oldest_timekey": "60", "buffer_queue_length": "3",
            "buffer_stage_byte_size": "300", "buffer_stage_length": "2",
            "buffer_total_bytes": "1000", "emit_count": "10", "emit_records": "11",
            "flush_time_count": "13", "num_errors": "9", "queue_byte_size": "700",
            "retry_count": "4", "retry_wait": "1.5", "rollback_count": "9",
            "slow_flush_count": "1", "write_count": "12",
        ]
        #expect(
            try Self.lines("prometheus_output_monitor", "", context)
                == expected.sorted { $0.key < $1.key }.map {
                    "fluentd_output_status_\($0)\(labels) \($1)"
                })
    }

    @Test func `show files, and forget those that are gone`() throws {
        let context = Self.context()
        let files = TailFiles()
        context.components.add(ObservedComponents.Tail(name: "in_tail", files: files))
        files.note("/a.log", inode: 7, position: 100)
        files.note("/b.log", inode: 8, position: 1)
        files.note("/a.log", inode: 9, position: 5)
        files.note("/a.log", inode: 9, position: 2)
        files.noteThrottling(of: "/a.log")
        func labels(_ path: String) -> String {
            #"{plugin_id="in_tail",type="tail",path="\#(path)"}"#
        }
        let lines = try Self.lines("prometheus_tail_monitor", "", context)
        for (name, value) in [
            ("position", 2), ("inode", 9), ("opened", 2), ("closed", 1), ("rotated", 2),
            ("throttled", 1),
        ] {
            #expect(lines.contains("fluentd_tail_file_\(name)\(labels("/a.log")) \(value)"))
        }
        #expect(lines.count == 12)
        files.forget("/b.log")
        #expect(Self.shown(context, seconds: 101).count == 6)
    }

    @Test func `refuse labels whose values come from events`() {
        for value in ["$.code", "${tag}", "${code}"] {
            #expect(throws: ConfigurationError.self) {
                try Self.lines(
                    "prometheus_monitor", "<labels>\na \(value)\n</labels>", Self.context())
            }
        }
    }
}
