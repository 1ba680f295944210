import WeirCore
import WeirMetrics

/// What a sampling for remote write costs, compression included.
extension SeriesRows {
    private static let counterCount = 50_000
    private static let histogramCount = 2_500

    /// Prints the rows.
    func runRemoteWrite(_ row: (String, String) -> Void) throws {
        let counters = try Group(Self.labelNames, .counter)
        Self.make(Self.counterCount, counters, labelCount: 25) { table, index in
            table.add(1_234, to: index, family: 0)
        }
        let histograms = try Group(Self.labelNames, .histogram(bounds: Self.bounds))
        Self.make(Self.histogramCount, histograms, labelCount: 25) { table, index in
            table.observe(12, at: index, family: 0)
        }
        for version in RemoteWriteVersion.allCases {
            for (kind, group) in [("counters", counters), ("histograms", histograms)] {
                let cost = Self.sampling(group.registry, version)
                row(
                    "remote write \(version.rawValue), sample of \(kind) with 25 labels",
                    "\(Int(cost.nanoseconds.rounded())) ns, \(Int(cost.byteCount.rounded())) bytes")
            }
        }
    }

    /// Nanoseconds of CPU and bytes sent for one sample.
    private static func sampling(
        _ registry: Registry, _ version: RemoteWriteVersion
    ) -> (nanoseconds: Double, byteCount: Double) {
        var options = RemoteWriteSampler.Options()
        options.version = version
        let sampler = RemoteWriteSampler(registry, options)
        var best = Double.infinity
        var (sampleCount, byteCount) = (0, 0)
        for round in 1...7 {
            (sampleCount, byteCount) = (0, 0)
            let start = Stages.cpuSeconds
            _ = sampler.sample(now: Timestamp(seconds: now.seconds + Int64(round) * 15)) {
                sampleCount += $0.counts.samples
                byteCount += $0.body.count
            }
            best = min(best, Stages.cpuSeconds - start)
        }
        let count = Double(max(sampleCount, 1))
        return (best / count * 1e9, Double(byteCount) / count)
    }
}
