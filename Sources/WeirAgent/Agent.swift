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
    /// The sources at work: those of the pipeline, or of the one before it.
    private let sources: Mutex<[PipelineBuilder.SourcePart]>
    private let system: SystemSection
    private let systemContent: String
    private let logger: Logger
    private let clock = SystemClock()
    private let series: SeriesCatalog
    private let components: ObservedComponents
    private let checkpoint: SeriesCheckpoint?
    private let checkpointPath: String?

    /// The address of the admin server that the configuration asks for.
    public var adminAddress: (host: String, port: Int) { (system.adminBind, system.adminPort) }

    /// How the node's own metrics are kept for queries.
    let historyOptions: MetricsHistory.Options?
    /// The rules that are evaluated over them, if there are any.
    let alerting: AlertingSection?

    /// The agent of a configuration.
    /// - Parameter former: The agent in whose place it comes by ``takeOver(from:)``; outputs that
    ///   have not changed are kept.
    /// - Parameter checkpoint: What keeps counted series over restarts of the process.
    /// - Parameter samples: The way of samples into the process's history.
    public init(
        _ configuration: PipelineConfiguration, registry: Registry, files: any ConfigFiles,
        logger: Logger, former: Agent? = nil, checkpoint: SeriesCheckpoint? = nil,
        samples: SampleIntake = SampleIntake()
    ) throws(ConfigurationError) {
        if configuration.diagnostics.hasErrors {
            throw ConfigurationError(configuration.diagnostics)
        }
        system = SystemSection(configuration.system)
        systemContent = configuration.system?.element.content ?? ""
        let kept = former?.systemContent == systemContent ? former?.pipeline : nil
        var logger = logger
        logger.logLevel = system.logLevel
        self.logger = logger
        let reports = AgentReports(logger)
        let deadLetter = DeadLetterFile(
            path: Self.path(
                system.deadLetterPath, beside: configuration, suffix: ".dead-letter")
                ?? "weir.dead-letter", registry: registry,
            log: { reports.deadLetter($0) })
        let hostName = files.hostName
        self.checkpoint = checkpoint
        checkpointPath = Self.path(
            system.seriesCheckpointPath, beside: configuration, suffix: ".series")
        var historyOptions = system.history
        historyOptions?.path = Self.path(
            system.history?.path, beside: configuration, suffix: ".history")
        var context = PluginContext(
            hostName: hostName,
            nodeName: system.nodeName ?? files.environment("K8S_NODE_NAME") ?? hostName,
            registry: registry, refusals: deadLetter, outputByteLimit: system.bufferByteLimit,
            outputLog: { reports.output($0) }, tailLog: { reports.tail($0) })
        context.checkpoint = checkpoint
        context.scrapeLog = { reports.scrape($0) }
        context.environment = { files.environment($0) }
        context.listenLog = { [logger] component, address in
            logger.info(
                "source listens", metadata: ["address": "\(address)", "id": "\(component)"])
        }
        context.samples = samples
        context.keepsSamples = historyOptions != nil
        context.notifierLog = { reports.notifier($0) }
        alerting = try AlertingSection.read(
            configuration, files: files, context: context,
            stateFolder: Self.path(nil, beside: configuration, suffix: ".alerts"))
        if let alerting, let options = historyOptions {
            // What a rule sees is as fresh as it is evaluated often.
            historyOptions?.interval = min(options.interval, alerting.shortestInterval)
        }
        self.historyOptions = historyOptions
        series = context.series
        components = context.components
        var builder = PipelineBuilder(configuration, context: context, former: kept)
        pipeline = try builder.build(deadLetter: deadLetter, log: { reports.router($0) })
        sources = Mutex(pipeline.sources)
    }

    /// The path that `<system>` names, or else one beside the first position file.
    private static func path(
        _ named: String?, beside configuration: PipelineConfiguration, suffix: String
    ) -> String? {
        if let named { return named }
        for source in configuration.sources {
            if let path = source.section.element["pos_file"]?.value.string, !path.isEmpty {
                return path + suffix
            }
        }
        return nil
    }

    /// Reads a configuration file and all that it includes, and checks it as a whole.
    public static func read(_ path: String, files: any ConfigFiles) -> PipelineConfiguration {
        PipelineConfiguration.read(
            path: path, files: files, catalog: PluginCatalog.catalog,
            system: SystemSection.declaration, sections: [AlertingSection.declaration])
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

    /// The metrics that the parts of a sound configuration count in.
    static func metricNames(
        of configuration: PipelineConfiguration, files: any ConfigFiles
    ) -> Set<String>? {
        let registry = Registry()
        let agent = try? Agent(
            configuration, registry: registry, files: files,
            logger: Logger(label: "weir") { _ in SwiftLogNoOpLogHandler() })
        guard let agent else { return nil }
        agent.series.activate()
        return registry.metricNames
    }

    // MARK: Life

    /// Starts the outputs, then the sources.
    public func start() throws(ComponentError) {
        pipeline.relay.point(to: pipeline.router)
        series.activate()
        checkpoint?.begin(checkpointPath, series)
        for part in pipeline.outputs { try part.output.start() }
        for part in pipeline.sources {
            open(part)
            try part.source.start()
        }
    }

    private func open(_ part: PipelineBuilder.SourcePart) {
        components.note(part.source, name: part.key.name)
        part.door.open(to: pipeline.router.entry(label: part.label))
    }

    /// Sends what is staged.
    public func flush() {
        for part in pipeline.outputs { part.output.flush() }
    }

    /// Stops reading, delivers what is held within the configured time, writes the positions down.
    /// - Returns: Whether everything was delivered; what was not is read again at the next start.
    public func stop() -> Bool {
        let sources = sources.withLock { $0 }
        for part in sources { part.source.stop() }
        let isDelivered = stop(pipeline.outputs)
        for part in sources { part.source.close() }
        checkpoint?.save()
        if !isDelivered {
            logger.warning(
                "some events were not delivered in time; they are read again at the next start")
        }
        return isDelivered
    }

    /// Stops outputs side by side, so that one that hangs takes no time from the others; those of
    /// `@ERROR` last, since the others may still give them events.
    private func stop(_ outputs: [PipelineBuilder.OutputPart]) -> Bool {
        let deadline = clock.monotonicNanoseconds &+ system.shutdownTimeout.nanoseconds
        var isDelivered = true
        for takesErrors in [false, true] {
            let wave = outputs.filter { $0.takesErrors == takesErrors }
            let answers = Monitor<[Bool]>([])
            for part in wave {
                WorkerThread.start("weir-stop") {
                    let answer = part.output.stop(deadline: deadline)
                    answers.change { $0.append(answer) }
                }
            }
            let all = answers.wait { $0.count == wave.count ? .done($0) : .waitForChange }
            if all.contains(false) { isDelivered = false }
        }
        return isDelivered
    }

    // MARK: Reload

    /// Comes in the place of an agent at work; sources and outputs that have not changed go on.
    ///
    /// When it throws, some parts of both are stopped: ``stop()`` of both stops the rest.
    public func takeOver(from former: Agent) throws(ComponentError) {
        let running = former.sources.withLock { $0 }
        var keys = Set(pipeline.sources.map(\.key)).intersection(running.map(\.key))
        if systemContent != former.systemContent { keys = [] }
        for part in running {
            if keys.contains(part.key) { part.door.close() } else { part.source.stop() }
        }
        let outputs = Set(pipeline.outputs.map { ObjectIdentifier($0.output) })
        let leaving = former.pipeline.outputs.filter {
            !outputs.contains(ObjectIdentifier($0.output))
        }
        if !former.stop(leaving) {
            // Who read the undelivered events does not read them again; its successor does.
            for part in running where keys.contains(part.key) {
                part.door.abandon()
                part.source.stop()
            }
            keys = []
        }
        for part in running where !keys.contains(part.key) { part.source.close() }
        pipeline.relay.point(to: pipeline.router)
        series.activate()
        checkpoint?.keep(checkpointPath, series)
        let known = Set(former.pipeline.outputs.map { ObjectIdentifier($0.output) })
        let coming = pipeline.outputs.filter { !known.contains(ObjectIdentifier($0.output)) }
        do throws(ComponentError) {
            for part in coming { try part.output.start() }
            try begin(keeping: running.filter { keys.contains($0.key) })
        } catch {
            for part in running { part.door.abandon() }
            throw error
        }
        logger.info(
            "parts were exchanged; the others went on",
            metadata: [
                "kept_sources": "\(keys.count)",
                "kept_outputs": "\(pipeline.outputs.count - coming.count)",
            ])
    }

    /// Starts the sources, or lets those go on that were kept.
    private func begin(keeping kept: [PipelineBuilder.SourcePart]) throws(ComponentError) {
        let parts = pipeline.sources.map { part in kept.first { $0.key == part.key } ?? part }
        sources.withLock { $0 = parts }
        for part in parts {
            open(part)
            if !kept.contains(where: { $0.key == part.key }) { try part.source.start() }
        }
    }
}
