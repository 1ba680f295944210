import Logging
import Synchronization
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins

/// A configuration at work: sources, router and outputs from start to stop.
public final class Agent: Sendable {
    private let pipeline: PipelineBuilder.Pipeline
    private let system: SystemSection
    private let logger: Logger
    private let clock = SystemClock()
    private let series: SeriesCatalog

    /// The address of the admin server that the configuration asks for.
    public var adminAddress: (host: String, port: Int) { (system.adminBind, system.adminPort) }

    /// The agent of a configuration.
    public init(
        _ configuration: PipelineConfiguration, registry: Registry, files: any ConfigFiles,
        logger: Logger
    ) throws(ConfigurationError) {
        if configuration.diagnostics.hasErrors {
            throw ConfigurationError(configuration.diagnostics)
        }
        system = SystemSection(configuration.system)
        var logger = logger
        logger.logLevel = system.logLevel
        self.logger = logger
        let reports = AgentReports(logger)
        let deadLetter = DeadLetterFile(
            path: Self.deadLetterPath(configuration, system), registry: registry,
            log: { reports.deadLetter($0) })
        let hostName = files.hostName
        let context = PluginContext(
            hostName: hostName,
            nodeName: system.nodeName ?? files.environment("K8S_NODE_NAME") ?? hostName,
            registry: registry, refusals: deadLetter, outputByteLimit: system.bufferByteLimit,
            outputLog: { reports.output($0) }, tailLog: { reports.tail($0) })
        series = context.series
        var builder = PipelineBuilder(configuration, context: context)
        pipeline = try builder.build(deadLetter: deadLetter, log: { reports.router($0) })
    }

    private static func deadLetterPath(
        _ configuration: PipelineConfiguration, _ system: SystemSection
    ) -> String {
        if let path = system.deadLetterPath { return path }
        for source in configuration.sources {
            if let path = source.section.element["pos_file"]?.value.string, !path.isEmpty {
                return path + ".dead-letter"
            }
        }
        return "weir.dead-letter"
    }

    /// Reads a configuration file and all that it includes, and checks it as a whole.
    public static func read(_ path: String, files: any ConfigFiles) -> PipelineConfiguration {
        PipelineConfiguration.read(
            path: path, files: files, catalog: PluginCatalog.catalog,
            system: SystemSection.declaration)
    }

    /// All that there is to remark about a configuration, the mistakes that only building shows included.
    public static func check(_ path: String, files: any ConfigFiles) -> [Diagnostic] {
        let configuration = read(path, files: files)
        guard !configuration.diagnostics.hasErrors else { return configuration.diagnostics }
        do throws(ConfigurationError) {
            _ = try Agent(
                configuration, registry: Registry(), files: files,
                logger: Logger(label: "weir") { _ in SwiftLogNoOpLogHandler() })
            return configuration.diagnostics
                + configuration.sources.flatMap {
                    PluginCatalog.remarks(onSource: $0.section)
                }
                + configuration.labels.values.joined().filter { $0.kind == .filter }.flatMap {
                    PluginCatalog.remarks(onFilter: $0.component.section)
                }
        } catch {
            return configuration.diagnostics + error.diagnostics
        }
    }

    // MARK: Life

    /// Starts the outputs, then the sources.
    public func start() throws(ComponentError) {
        series.activate()
        for output in pipeline.outputs { try output.start() }
        for source in pipeline.sources { try source.start() }
    }

    /// Sends what is staged.
    public func flush() {
        for output in pipeline.outputs { output.flush() }
    }

    /// Stops reading, delivers what is held within the configured time, writes the positions down.
    /// - Returns: Whether everything was delivered; what was not is read again at the next start.
    public func stop() -> Bool {
        for source in pipeline.sources { source.stop() }
        let timeout = UInt64(clamping: system.shutdownTimeout.components.seconds) * 1_000_000_000
        let deadline = clock.monotonicNanoseconds &+ timeout
        var isDelivered = true
        for output in pipeline.outputs where !output.stop(deadline: deadline) {
            isDelivered = false
        }
        for source in pipeline.sources { source.close() }
        if !isDelivered {
            logger.warning(
                "some events were not delivered in time; they are read again at the next start")
        }
        return isDelivered
    }
}
