import Synchronization
import WeirCore

extension Registry {
    /// All metrics in Prometheus' text format, version 0.0.4, ordered by name and labels.
    public func textExposition() -> String {
        var text = ""
        let families = families.withLock { $0 }
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            guard let first = family.series.values.first else { continue }
            let help = family.help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(first.typeName)\n"
            let ordered = family.series.map { (labelText($0.key), $0.value) }
                .sorted { $0.0 < $1.0 }
            for (labels, instrument) in ordered {
                append(name, labels, instrument, to: &text)
            }
        }
        return text
    }

    private func append(
        _ name: String, _ labels: String, _ instrument: Instrument, to text: inout String
    ) {
        switch instrument {
        case .counter(let counter): text += "\(name)\(braced(labels)) \(counter.value)\n"
        case .gauge(let gauge): text += "\(name)\(braced(labels)) \(gauge.value)\n"
        case .histogram(let histogram):
            let (counts, sum) = histogram.snapshot()
            var total: UInt64 = 0
            for (index, count) in counts.enumerated() {
                total &+= count
                let bound =
                    index < histogram.bounds.count ? number(histogram.bounds[index]) : "+Inf"
                let all = labels.isEmpty ? "le=\"\(bound)\"" : "\(labels),le=\"\(bound)\""
                text += "\(name)_bucket{\(all)} \(total)\n"
            }
            text += "\(name)_sum\(braced(labels)) \(number(sum))\n"
            text += "\(name)_count\(braced(labels)) \(total)\n"
        }
    }

    private func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

    private func labelText(_ labels: [Label]) -> String {
        labels.map { label in
            let value = label.value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .replacing("\n", with: "\\n")
            return "\(label.name)=\"\(value)\""
        }.joined(separator: ",")
    }

    private func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}
