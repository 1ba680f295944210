import CShims
import Glibc
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins
import WeirTesting

/// What a document costs in the embedded store, from the batch to the committed transaction.
struct StoreStage {
    private static let roundCount = 10

    private let folder: ScratchFolder
    private let output: any Output
    private let registry = Registry()

    /// Why there is no store.
    struct Problem: Error {}

    private final class NoRefusals: RefusalSink {
        func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {}
    }

    /// A store in a folder of its own.
    init() throws {
        folder = try ScratchFolder()
        // The lines have times of their own, at any age.
        let text = """
            <match **>
              @type store
              path \(folder.file("store.db"))
              retention_time 36500d
            </match>

            """
        guard let section = ComponentSection.read(text, as: .output).section else {
            throw Problem()
        }
        output = try PluginCatalog.output(
            section, name: "store",
            context: PluginContext(
                hostName: "", nodeName: "", registry: registry, refusals: NoRefusals(),
                outputByteLimit: 24 << 20, outputLog: { print($0) }, tailLog: { _ in }))
    }

    /// The CPU time of all of this process's threads, user and system.
    private static var cpuSeconds: Double {
        var usage = rusage()
        getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// Stores the events that `eachBatch` gives, in several rounds of new identities.
    /// - Returns: The nanoseconds of CPU per event, what `eachBatch` itself takes included, and how
    ///   many events were stored.
    func run(eachBatch: ((EventBatch) -> Void) -> Void) throws -> (cost: Double, eventCount: Int) {
        // What a core does: threads that move between cores pay for it in caches.
        weir_stay_on_core(weir_current_core())
        defer { weir_stay_on_core(-1) }
        try output.start()
        let start = Self.cpuSeconds
        for round in 0..<Self.roundCount {
            eachBatch { batch in
                batch.origin = Origin(high: 1, low: UInt64(round))
                while !output.admits { usleep(200) }
                output.write(batch, ticket: DeliveryTicket(readAt: 0) {})
            }
        }
        guard output.stop(deadline: .max) else { throw Problem() }
        let delivered = registry.counter(
            MetricDescription("weir_output_delivered_events_total", ""),
            [Label("output", "store")])
        let count = Int(clamping: delivered.value)
        return ((Self.cpuSeconds - start) / Double(max(count, 1)) * 1e9, count)
    }
}
