// Hot path: once per event.
import WeirConfig
import WeirCore
import WeirMetrics
import WeirPipeline
import WeirTraces

/// `@type sampling_signals`: tells the sampling of traces which requests went wrong by the access log.
public final class SamplingSignalsFilter: Filter {
    private enum P {
        static let request = Parameter.text(
            "request_id_key", default: "request_id", "The field of the request's id.")
        static let code = Parameter.text(
            "code_key", default: "response_code", "The field of the response's code.")
        static let flags = Parameter.text(
            "flags_key", default: "response_flags", "The field of Envoy's response flags.")
        static let sampled = Parameter.text(
            "sampled_key", default: "x_b3_sampled",
            "The field of B3's header `x-b3-sampled`; without it, Envoy's request id tells.")
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .filter, type: "sampling_signals",
        "Tells `@type zipkin` which requests went wrong by the access log: those with a code of 500 "
            + "or more, with none at all, or with response flags. A policy `when access_log` keeps "
            + "their traces. The events go on as they are.",
        parameters: [
            AnyParameter(P.request), AnyParameter(P.code), AnyParameter(P.flags),
            AnyParameter(P.sampled),
        ],
        examples: ["<filter istio.**>\n  @type sampling_signals\n</filter>"])

    private let keys: (request: String, code: String, flags: String, sampled: String)
    private let outcomes: RequestOutcomes
    private let failed: Counter
    private let requests: (sampled: Counter, unsampled: Counter)

    init(_ section: Section, name: String, context: PluginContext) {
        keys = (section[P.request], section[P.code], section[P.flags], section[P.sampled])
        outcomes = context.requestOutcomes
        let registry = context.registry
        failed = registry.counter(
            MetricDescription(
                "weir_sampling_signals_total", "Requests that the access log tells went wrong."),
            [Label("filter", name)])
        func counter(_ isSampled: Bool) -> Counter {
            registry.counter(
                MetricDescription(
                    "weir_access_log_requests_total",
                    "Requests of the access log, by whether they are traced."),
                [Label("filter", name), Label("sampled", "\(isSampled)")])
        }
        requests = (counter(true), counter(false))
    }

    public func apply(to batch: EventBatch, refused: (_ row: Int, _ reason: String) -> Void) {
        var request = ColumnReader(keys.request, in: batch)
        var code = ColumnReader(keys.code, in: batch)
        var flags = ColumnReader(keys.flags, in: batch)
        var sampled = ColumnReader(keys.sampled, in: batch)
        var sampledCount = 0
        var count = 0
        var failedCount = 0
        for row in batch.rows.indices where !batch.rows[row].isDropped {
            let id = request.slot(row: row, in: batch)
            guard id.isString, id.length > 1 else { continue }
            count += 1
            batch.withText(id) { id in
                let header = sampled.slot(row: row, in: batch)
                if isSampled(header, batch) ?? Self.isSampled(id) { sampledCount += 1 }
                guard
                    isFailure(code.slot(row: row, in: batch), batch)
                        || hasFlags(flags.slot(row: row, in: batch), batch)
                else { return }
                failedCount += 1
                outcomes.noteFailure(ofRequest: id)
            }
        }
        requests.sampled.add(sampledCount)
        requests.unsampled.add(count - sampledCount)
        failed.add(failedCount)
    }

    private func isFailure(_ code: Slot, _ batch: EventBatch) -> Bool {
        guard code.type == .integer || code.isString else { return false }
        return batch.withText(code) { code in
            code.count == 1 && code[0] == UInt8(ascii: "0")
                || code.count == 3 && code[0] == UInt8(ascii: "5")
        }
    }

    private func hasFlags(_ flags: Slot, _ batch: EventBatch) -> Bool {
        guard flags.isString else { return false }
        return batch.withText(flags) { flags in
            !flags.isEmpty && !(flags.count == 1 && flags[0] == UInt8(ascii: "-"))
        }
    }

    /// What B3's header says, if it says something.
    private func isSampled(_ header: Slot, _ batch: EventBatch) -> Bool? {
        guard header.type == .integer || header.isString, header.length == 1 else { return nil }
        return batch.withText(header) { header in
            switch header[0] {
            case UInt8(ascii: "1"), UInt8(ascii: "d"): true
            case UInt8(ascii: "0"): false
            default: nil
            }
        }
    }

    /// Whether Envoy's request id says that the request is traced: the digit behind the second
    /// hyphen is 4 where it is not, 9, a or b where it is (envoy
    /// `source/extensions/request_id/uuid/config.cc`).
    static func isSampled(_ id: UnsafeRawBufferPointer) -> Bool {
        guard id.count == 36 else { return false }
        switch id[14] {
        case UInt8(ascii: "9"), UInt8(ascii: "a"), UInt8(ascii: "b"): return true
        default: return false
        }
    }
}
