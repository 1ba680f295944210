import CShims
import Glibc
import Logging
import Synchronization
import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPlugins

/// `weir run`: an agent in this process, moved by signals.
///
/// SIGTERM and SIGINT flush and stop, SIGHUP reads the configuration anew, SIGUSR1 flushes.
public final class AgentProcess {
    /// How the process ended, as exit codes.
    public enum Ending: Int32, Sendable {
        case delivered = 0
        /// The configuration or a component refused to start.
        case refused = 1
        /// Events were left undelivered; the next start reads them again.
        case undelivered = 3
    }

    private let path: String
    private let files: any ConfigFiles
    private let registry = Registry()
    private let logger: Logger
    private let checkpoint: SeriesCheckpoint
    private let samples = SampleIntake()
    private let reloads: Counter
    private let refusedReloads: Counter
    private var server: AdminServer?
    private var history: MetricsHistory?
    private var rules: RuleEvaluation?

    /// A process of the configuration at `path`.
    public init(path: String, files: any ConfigFiles = RealConfigFiles()) {
        self.path = path
        self.files = files
        logger = Logger(label: "weir") { _ in AgentLogHandler() }
        let reports = AgentReports(logger)
        checkpoint = SeriesCheckpoint(registry: registry) { reports.checkpoint($0) }
        reloads = registry.counter(
            MetricDescription("weir_reloads_total", "Configurations that were taken anew."))
        refusedReloads = registry.counter(
            MetricDescription(
                "weir_reloads_refused_total", "Configurations refused because of mistakes."))
    }

    /// Keeps the signals for ``run()``; call it before any thread is made.
    public static func prepare() {
        // Memory that a burst needed is given back, and threads share one arena: a third less peak.
        weir_bound_memory()
        signal(SIGPIPE, SIG_IGN)
        var signals = heldSignals()
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private static func heldSignals() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] { sigaddset(&signals, signal) }
        return signals
    }

    /// An agent with the configuration that it was made of.
    private struct Running {
        var agent: Agent
        var configuration: PipelineConfiguration
    }

    /// Runs until a signal ends it.
    public func run() -> Ending {
        guard var running = read(former: nil) else { return .refused }
        do throws(ComponentError) {
            try running.agent.start()
            startHistory(running.agent)
            server = try startServer(running.agent)
        } catch {
            logger.critical("\(error)")
            _ = running.agent.stop()
            return .refused
        }
        _ = weir_release_code()
        logger.info("weir runs", metadata: ["config": "\(path)"])
        server?.setReady(true)
        var signals = Self.heldSignals()
        while true {
            var number: Int32 = 0
            guard sigwait(&signals, &number) == 0 else { continue }
            switch number {
            case SIGUSR1: running.agent.flush()
            case SIGHUP:
                guard let next = reload(running) else { return .refused }
                running = next
            default:
                logger.info("weir stops")
                server?.setReady(false)
                let isDelivered = running.agent.stop()
                server?.stop()
                rules?.stop()
                history?.stop()
                return isDelivered ? .delivered : .undelivered
            }
        }
    }

    /// Begins to keep the node's own metrics, if the configuration says so.
    private func startHistory(_ agent: Agent) {
        rules?.stop()
        rules = nil
        history?.stop()
        samples.close()
        let reports = AgentReports(logger)
        history = agent.historyOptions.map {
            MetricsHistory(registry, $0, clock: SystemClock()) { reports.history($0, $1) }
        }
        rules = ruleEvaluation(agent, former: nil)
        history?.start(opening: samples) { [rules] in rules?.start() }
    }

    /// What evaluates the rules of a configuration, if there are any.
    private func ruleEvaluation(_ agent: Agent, former: RuleEvaluation?) -> RuleEvaluation? {
        guard let section = agent.alerting, let history else { return nil }
        if section.surroundings.stateFolder == nil {
            logger.warning(
                "alerts, notifications and silences will not survive a restart: write `state_path` in `<alerting>`"
            )
        }
        let reports = AgentReports(logger)
        return RuleEvaluation(
            section, history, registry, clock: SystemClock(), former: former
        ) { reports.rule($0) }
    }

    private func startServer(_ agent: Agent) throws(ComponentError) -> AdminServer {
        let (host, port) = agent.adminAddress
        let (registry, checkpoint) = (registry, checkpoint)
        return try AdminServer(
            host: host, port: port, registry: registry, checkpoint: checkpoint,
            history: history, rules: rules, clock: SystemClock(),
            reload: { kill(getpid(), SIGHUP) }, logger: logger)
    }

    /// The agent of the configuration as it is now, or nothing and its mistakes in the log.
    private func read(former: Agent?) -> Running? {
        let configuration = Agent.read(path, files: files)
        var diagnostics = configuration.diagnostics
        if !diagnostics.hasErrors {
            do throws(ConfigurationError) {
                let agent = try Agent(
                    configuration, registry: registry, files: files, logger: logger,
                    former: former, checkpoint: checkpoint, samples: samples)
                report(diagnostics)
                return Running(agent: agent, configuration: configuration)
            } catch {
                diagnostics += error.diagnostics
            }
        }
        report(diagnostics)
        return nil
    }

    private func report(_ diagnostics: [Diagnostic]) {
        for diagnostic in diagnostics {
            switch diagnostic.severity {
            case .error: logger.error("\(diagnostic)")
            case .warning: logger.warning("\(diagnostic)")
            case .note: logger.debug("\(diagnostic)")
            }
        }
    }

    // MARK: Reload

    /// Puts the configuration as it is now in the running one's place, if it is sound and starts.
    /// - Returns: What runs from now on; `nil` when nothing does.
    private func reload(_ running: Running) -> Running? {
        guard let next = read(former: running.agent) else {
            refusedReloads.add()
            logger.error("the new configuration is refused; the running one goes on")
            return running
        }
        server?.setReady(false)
        defer { server?.setReady(true) }
        do throws(ComponentError) {
            try next.agent.takeOver(from: running.agent)
        } catch {
            refusedReloads.add()
            logger.error(
                "the new configuration does not start; the former one is started again: \(error)")
            _ = running.agent.stop()
            _ = next.agent.stop()
            return startAgain(running.configuration)
        }
        reloads.add()
        moveServer(from: running.agent, to: next.agent)
        logger.info("the new configuration runs")
        return next
    }

    private func startAgain(_ configuration: PipelineConfiguration) -> Running? {
        do {
            let agent = try Agent(
                configuration, registry: registry, files: files, logger: logger,
                checkpoint: checkpoint, samples: samples)
            try agent.start()
            return Running(agent: agent, configuration: configuration)
        } catch {
            logger.critical("the former configuration does not start any more: \(error)")
            return nil
        }
    }

    /// Listens elsewhere, or keeps another history, if the new configuration says so.
    private func moveServer(from former: Agent, to agent: Agent) {
        let hasHistory = former.historyOptions == agent.historyOptions
        let hasRules = former.alerting == nil && agent.alerting == nil
        guard former.adminAddress != agent.adminAddress || !hasHistory || !hasRules else { return }
        // The port is wanted by the next one, which answers from the new history and the new rules.
        server?.stop()
        server = nil
        if hasHistory {
            rules?.stop()
            rules = ruleEvaluation(agent, former: rules)
            rules?.start()
        } else {
            startHistory(agent)
        }
        do throws(ComponentError) {
            let next = try startServer(agent)
            server?.stop()
            server = next
        } catch {
            logger.error("\(error)")
        }
    }
}
