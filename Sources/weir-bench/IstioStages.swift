import WeirConfig
import WeirCore
import WeirHost
import WeirMetrics
import WeirParse
import WeirPipeline
import WeirPlugins

extension Stages {
    /// Prints what the filters cost that derive what Istio's metrics say.
    func runIstio(
        _ json: borrowing ByteBuffer, _ parser: any LineParser, parsed: Double,
        _ row: (String, Double) -> Void
    ) {
        let registry = Registry()
        let catalog = SeriesCatalog(registry: registry)
        guard
            let fields = Self.section("<filter **>\n  @type istio_fields\n</filter>\n", .filter)
                .flatMap({ try? IstioFieldsFilter($0, registry: registry) }),
            let metrics = Self.section("<filter **>\n  @type istio_metrics\n</filter>\n", .filter)
                .flatMap({
                    try? IstioMetricsFilter(
                        $0, name: "bench", catalog: catalog, clock: SystemClock())
                })
        else { return }
        let now = Timestamp(seconds: 1_790_000_000)
        let written = Self.measure {
            eachBlock(json) {
                parser.parse(into: batch, now: now)
                fields.apply(to: batch) { _, _ in }
            }
        }
        row("istio_fields: seven fields", written - parsed)
        let counted = Self.measure {
            eachBlock(json) {
                // Every round counts the same lines: without an origin, that is no repetition.
                batch.origin = nil
                parser.parse(into: batch, now: now)
                metrics.apply(to: batch) { _, _ in }
            }
        }
        row("istio_metrics: a counter and three histograms of 25 labels", counted - parsed)
    }
}
