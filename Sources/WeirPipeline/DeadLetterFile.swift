import Glibc
import Synchronization
import WeirCore
import WeirMetrics

/// The last place for events that nobody takes: one JSON object a line, with the reason.
///
/// Each line holds `@timestamp`, `tag`, `component`, `reason` and the `record`. A line is synced
/// to the disk before its event counts as dealt with.
public final class DeadLetterFile: RefusalSink {
    /// What the file may grow to before it is moved aside to `.1`.
    public static let defaultByteLimit = 64 * 1024 * 1024

    private struct State {
        var descriptor: Int32 = -1
        var byteCount = 0
    }

    private let path: String
    private let byteLimit: Int
    private let state = Mutex(State())
    private let written: Counter
    private let failed: Counter
    private let overwritten: Counter
    private let log: @Sendable (String) -> Void

    /// A dead letter at `path`; the file is made when the first event comes.
    public init(
        path: String, byteLimit: Int = DeadLetterFile.defaultByteLimit, registry: Registry,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.path = path
        self.byteLimit = byteLimit
        self.log = log
        written = registry.counter(
            MetricDescription("weir_dead_letter_events_total", "Events kept in the dead letter."))
        failed = registry.counter(
            MetricDescription(
                "weir_dead_letter_lost_events_total",
                "Events lost because the dead letter could not be written."))
        overwritten = registry.counter(
            MetricDescription(
                "weir_dead_letter_overwritten_bytes_total",
                "Bytes of an older dead letter that a newer one took the place of."))
    }

    deinit {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
        }
    }

    public func refuse(_ events: [RefusedEvent], ticket: DeliveryTicket) {
        var text = ByteBuffer(capacity: 4096)
        for event in events { append(event, to: &text) }
        let isWritten = state.withLock { write(text.bytes, &$0) }
        if isWritten {
            written.add(events.count)
        } else {
            failed.add(events.count)
            log("dead letter \(path) cannot be written: \(errorText())")
        }
    }

    private func append(_ event: RefusedEvent, to text: inout ByteBuffer) {
        text.append("{\"seconds\":")
        text.append(decimal: Int(event.time.seconds))
        text.append(",\"nanoseconds\":")
        text.append(decimal: Int(event.time.nanoseconds))
        text.append(",\"tag\":\"")
        appendEscaped(event.tag, to: &text)
        text.append("\",\"component\":\"")
        appendEscaped(event.component, to: &text)
        text.append("\",\"reason\":\"")
        appendEscaped(event.reason, to: &text)
        text.append("\",\"record\":")
        if event.recordText.isEmpty {
            text.append("null")
        } else {
            text.append(event.recordText)
        }
        text.append("}\n")
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ state: inout State) -> Bool {
        if state.descriptor < 0 || state.byteCount > byteLimit { open(&state) }
        guard state.descriptor >= 0 else { return false }
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(state.descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        state.byteCount += bytes.count
        return fdatasync(state.descriptor) == 0
    }

    private func open(_ state: inout State) {
        if state.descriptor >= 0 {
            close(state.descriptor)
            state.descriptor = -1
            var former = stat()
            if stat("\(path).1", &former) == 0 { overwritten.add(Int(former.st_size)) }
            rename(path, "\(path).1")
        }
        state.descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        var status = stat()
        state.byteCount = fstat(state.descriptor, &status) == 0 ? Int(status.st_size) : 0
    }
}
