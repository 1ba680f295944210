import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline

/// `@type null`: takes events and forgets them.
public final class NullOutput: Output {
    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .output, type: "null", "Takes events and forgets them.",
        ignored: [IgnoredParameter("never_flush", because: "nothing is kept, so nothing is sent")],
        sections: [BufferSection.declaration], examples: ["<match **>\n  @type null\n</match>"])

    private let events: Counter

    init(name: String, registry: Registry) {
        events = registry.counter(
            MetricDescription("weir_output_events_total", "Events encoded for this output."),
            [Label("output", name)])
    }

    public var admits: Bool { true }

    public func write(_ batch: EventBatch, ticket: DeliveryTicket) {
        events.add(batch.keptRowCount)
    }

    public func start() throws(ComponentError) {}

    public func flush() {}

    public func stop(deadline: UInt64) -> Bool { true }
}
