import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirTraces

/// What components are given to live in.
public struct PluginContext: Sendable {
    /// The name of this host, for `${hostname}`.
    public var hostName: String
    /// The name of this node, for the identities of events; it must outlive restarts.
    public var nodeName: String
    /// Where components tell of themselves.
    public var registry: Registry
    /// The metrics that components count events in, by name.
    public var series: SeriesCatalog
    /// Keeps what is counted in step with the positions of the logs.
    public var checkpoint: SeriesCheckpoint?
    /// The way of samples into the history that queries read.
    public var samples = SampleIntake()
    /// Which requests went wrong by the access log, for the sampling of traces.
    public var requestOutcomes = RequestOutcomes()
    /// Whether such a history is kept.
    public var keepsSamples = true
    /// The components that others may ask how they are.
    public var components = ObservedComponents()
    /// Time.
    public var clock: any PipelineClock
    /// Takes what components refuse.
    public var refusals: any RefusalSink
    /// Most bytes that one output holds in memory.
    public var outputByteLimit: Int
    /// Where happenings in outputs are told.
    public var outputLog: @Sendable (OutputReport) -> Void
    /// Where sources tell where they listen, with the component's name.
    public var listenLog: @Sendable (_ component: String, _ address: String) -> Void = { _, _ in }
    /// Where happenings of scraping are told.
    public var scrapeLog: @Sendable (ScrapeReport) -> Void = { _ in }
    /// What notifiers have besides.
    public var alerting = NotifierSurroundings()
    /// Where happenings of notifying are told.
    public var notifierLog: @Sendable (NotifierReport) -> Void = { _ in }
    /// A variable of the environment.
    public var environment: @Sendable (String) -> String? = { _ in nil }
    /// Where happenings of followed files are told.
    public var tailLog: @Sendable (TailReport) -> Void

    /// A context by its parts.
    public init(
        hostName: String, nodeName: String, registry: Registry,
        clock: any PipelineClock = SystemClock(), refusals: any RefusalSink, outputByteLimit: Int,
        outputLog: @escaping @Sendable (OutputReport) -> Void,
        tailLog: @escaping @Sendable (TailReport) -> Void
    ) {
        self.hostName = hostName
        self.nodeName = nodeName
        self.registry = registry
        series = SeriesCatalog(registry: registry)
        self.clock = clock
        self.refusals = refusals
        self.outputByteLimit = outputByteLimit
        self.outputLog = outputLog
        self.tailLog = tailLog
    }
}

extension SystemClock: PipelineClock {}
