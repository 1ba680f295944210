import WeirConfig
import WeirCore
import WeirPipeline

/// `<filter> @type prometheus`: counts events in metrics and lets them pass.
public final class PrometheusFilter: Filter {
    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "prometheus", "Counts events in metrics and lets them pass.",
        sections: PrometheusSection.sections,
        examples: [
            """
            <filter istio.**>
              @type prometheus
              <metric>
                name envoy_requests_total
                type counter
                desc Requests that Envoy logged.
                <labels>
                  code $.response_code
                </labels>
              </metric>
              <metric>
                name envoy_duration_milliseconds
                type histogram
                desc How long requests took.
                key duration
                buckets 1, 5, 10, 50, 100, 500, 1000
              </metric>
              <labels>
                host ${hostname}
                tag ${tag}
              </labels>
            </filter>
            """
        ])

    private let metrics: PrometheusMetrics

    /// A filter as its section describes it.
    public init(_ section: Section, name: String, context: PluginContext) throws(SectionError) {
        metrics = try PrometheusMetrics(section, name: name, context: context)
    }

    /// Counts the rows.
    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        metrics.count(batch)
    }
}

/// `<match> @type prometheus`: counts events in metrics and keeps nothing else of them.
public final class PrometheusOutput: Output {
    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .output, type: "prometheus", "Counts events in metrics and keeps nothing else of them.",
        sections: PrometheusSection.sections,
        examples: [
            """
            <match istio.**>
              @type prometheus
              <metric>
                name envoy_bytes_total
                type counter
                desc Bytes that Envoy sent.
                key bytes_sent
              </metric>
            </match>
            """
        ])

    /// Alone with the metrics, which several sources' threads count in.
    private final class Turn: @unchecked Sendable {
        // Safe because `metrics` is used only under the lock of the monitor around it.
        let metrics: PrometheusMetrics

        init(_ metrics: PrometheusMetrics) {
            self.metrics = metrics
        }
    }

    private let monitor: Monitor<Turn>

    /// An output as its section describes it.
    public init(_ section: Section, name: String, context: PluginContext) throws(SectionError) {
        monitor = Monitor(Turn(try PrometheusMetrics(section, name: name, context: context)))
    }

    public var admits: Bool { true }

    public func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        monitor.withLock { $0.metrics.count(batch) }
    }

    public func start() throws(ComponentError) {}

    public func flush() {}

    public func stop(deadline: UInt64) -> Bool { true }
}
