import Testing
import WeirMetrics

@Suite("The registry's own metrics") struct OwnMetricsTests {
    @Test func `shows counters, gauges and histograms ordered by name and labels`() {
        let registry = Registry()
        let lines = MetricDescription("weir_lines_total", "Lines read.")
        registry.counter(lines, [Label("path", "/b")]).add(2)
        registry.counter(lines, [Label("path", "/a")]).add(1)
        registry.gauge(MetricDescription("weir_depth", "Depth.")).set(-3)
        let delay = registry.histogram(
            MetricDescription("weir_delay_seconds", "Delay."), bounds: [0.5, 1])
        delay.observe(0.25)
        delay.observe(7)
        #expect(
            registry.textExposition() == """
                # HELP weir_delay_seconds Delay.
                # TYPE weir_delay_seconds histogram
                weir_delay_seconds_bucket{le="0.5"} 1
                weir_delay_seconds_bucket{le="1"} 1
                weir_delay_seconds_bucket{le="+Inf"} 2
                weir_delay_seconds_sum 7.25
                weir_delay_seconds_count 2
                # HELP weir_depth Depth.
                # TYPE weir_depth gauge
                weir_depth -3
                # HELP weir_lines_total Lines read.
                # TYPE weir_lines_total counter
                weir_lines_total{path="/a"} 1
                weir_lines_total{path="/b"} 2

                """)
    }

    @Test func `escapes quotes, backslashes and line ends in label values`() {
        let registry = Registry()
        registry.counter(MetricDescription("a_total", "A."), [Label("p", "x\"\\\ny")]).add()
        #expect(registry.textExposition().contains(#"a_total{p="x\"\\\ny"} 1"#))
    }
}
