import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPromQL

/// What happens in scraping that a person may want to know.
public enum ScrapeReport: Sendable, Equatable {
    /// A target that was well fails.
    case failing(target: String, reason: String)
    /// A target that failed is well again.
    case recovered(target: String)
    /// The pods of this node cannot be listed; those that are known are scraped on.
    case podsUnknown(reason: String)
}

/// `<source> @type prometheus_scrape`: scrapes targets on threads of its own.
public final class ScrapeSource: Source {
    /// Targets that are scraped at a time.
    private static let threadCount = 2

    private let section: ScrapeSection
    private let intake: SampleIntake
    private let clock: any PipelineClock
    private let counters: SampleCounters
    private let scrapes: Counter
    private let failures: Counter
    private let listFailures: Counter
    private let log: @Sendable (ScrapeReport) -> Void
    private let state = Monitor(State())

    private struct Scheduled {
        var target: ScrapeTarget
        var due: UInt64
    }

    private struct State: @unchecked Sendable {
        // Safe because a target is in the list, or with the one thread that has taken it out.
        var waiting: [Scheduled] = []
        /// The places that are to be scraped: those of the section, and those of pods.
        var wanted: Set<ScrapeTarget.Place> = []
        /// Targets that a thread has taken out.
        var busy: Set<ScrapeTarget.Place> = []
        var isStopping = false
        var threadCount = 0
        var clients: [HTTPClient] = []
    }

    /// A source as its section describes it.
    public init(_ section: Section, context: PluginContext) throws(SectionError) {
        self.section = try ScrapeSection(section, context: context)
        intake = context.samples
        clock = context.clock
        log = context.scrapeLog
        counters = SampleCounters(context.registry, origin: "scrape")
        scrapes = context.registry.counter(
            MetricDescription("weir_scrapes_total", "Scrapes of targets."))
        failures = context.registry.counter(
            MetricDescription("weir_scrape_failures_total", "Scrapes that failed."))
        listFailures = context.registry.counter(
            MetricDescription(
                "weir_scrape_discovery_failures_total",
                "Lists of this node's pods that could not be had."))
    }

    /// The component as users see it.
    public static let declaration = ScrapeSection.declaration

    public func start() {
        state.change { state in
            want(Set(section.targets), &state)
            state.threadCount = Self.threadCount + (section.pods == nil ? 0 : 1)
        }
        for _ in 0..<Self.threadCount {
            WorkerThread.start("weir-scrape") { [self] in scrapeUntilStopped() }
        }
        if let pods = section.pods {
            WorkerThread.start("weir-pods") { [self] in listUntilStopped(pods) }
        }
    }

    public func stop() {
        state.change { state in
            state.isStopping = true
            for client in state.clients { client.abort() }
        }
        state.wait { $0.threadCount == 0 ? .done(()) : .waitForChange }
    }

    public func close() {}

    // MARK: Targets

    /// Makes the targets those of some places. What is no longer wanted ends; what is new is due at once,
    /// one after the other.
    private func want(_ places: Set<ScrapeTarget.Place>, _ state: inout State) {
        for scheduled in state.waiting where !places.contains(scheduled.target.place) {
            scheduled.target.end(now: clock.now, counters)
        }
        state.waiting.removeAll { !places.contains($0.target.place) }
        let known = Set(state.waiting.map(\.target.place)).union(state.busy)
        let step = section.interval.nanoseconds / UInt64(max(places.count, 1))
        var due = clock.monotonicNanoseconds
        for place in places.subtracting(known).sorted(by: { $0.url < $1.url }) {
            state.waiting.append(Scheduled(target: ScrapeTarget(place, section), due: due))
            due &+= step
        }
        state.wanted = places
    }

    private func listUntilStopped(_ pods: ScrapeSection.Pods) {
        let list = PodList(pods)
        state.withLock { $0.clients.append(list.client) }
        while true {
            switch list.targets() {
            case .success(let places):
                state.change { state in
                    want(Set(section.targets).union(places), &state)
                }
            case .failure(let problem):
                if state.withLock({ $0.isStopping }) { break }
                listFailures.add()
                log(.podsUnknown(reason: problem.reason))
            }
            let due = clock.monotonicNanoseconds &+ pods.interval.nanoseconds
            let isStopping = state.wait { state -> WaitAnswer<Bool> in
                if state.isStopping { return .done(true) }
                return clock.monotonicNanoseconds >= due ? .done(false) : .waitUntil(due)
            }
            if isStopping { break }
        }
        state.change { $0.threadCount -= 1 }
    }

    // MARK: Scraping

    private func scrapeUntilStopped() {
        let client = HTTPClient(section.client)
        state.withLock { $0.clients.append(client) }
        while let scheduled = next() {
            scrape(scheduled.target, client)
            giveBack(scheduled)
        }
        state.change { $0.threadCount -= 1 }
    }

    /// The target that is due first, when it is due; `nil` at the end.
    private func next() -> Scheduled? {
        state.wait { state -> WaitAnswer<Scheduled?> in
            if state.isStopping { return .done(nil) }
            guard
                let first = state.waiting.indices.min(by: {
                    state.waiting[$0].due < state.waiting[$1].due
                })
            else { return .waitForChange }
            guard state.waiting[first].due <= clock.monotonicNanoseconds else {
                return .waitUntil(state.waiting[first].due)
            }
            let taken = state.waiting.remove(at: first)
            state.busy.insert(taken.target.place)
            return .done(taken)
        }
    }

    private func giveBack(_ scheduled: Scheduled) {
        state.change { state in
            let place = scheduled.target.place
            state.busy.remove(place)
            guard state.wanted.contains(place) else {
                return scheduled.target.end(now: clock.now, counters)
            }
            var next = scheduled
            next.due &+= section.interval.nanoseconds
            // What was missed is not made up for.
            let now = clock.monotonicNanoseconds
            if next.due < now { next.due = now &+ section.interval.nanoseconds }
            state.waiting.append(next)
        }
    }

    private func scrape(_ target: ScrapeTarget, _ client: HTTPClient) {
        // Nothing is scraped before the store's former samples are there.
        guard let store = intake.store else { return }
        let start = clock.monotonicNanoseconds
        scrapes.add()
        let outcome = target.scrape(into: store, client, now: clock.now, counters) {
            Double(clock.monotonicNanoseconds &- start) / 1e9
        }
        switch outcome {
        case .done:
            if target.hasFailed { log(.recovered(target: target.place.url)) }
            target.hasFailed = false
        case .failed(let reason):
            if state.withLock({ $0.isStopping }) { return }
            failures.add()
            if !target.hasFailed { log(.failing(target: target.place.url, reason: reason)) }
            target.hasFailed = true
        }
    }
}
