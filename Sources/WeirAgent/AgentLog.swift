import Glibc
import Logging
import Synchronization
import WeirCore

/// The agent's log: one line a happening, as Fluentd writes them, on standard error.
///
/// `2026-11-24 09:20:39 +0000 [warn]: output is retrying output="elasticsearch" reason="503"`
public struct AgentLogHandler: LogHandler {
    public var logLevel: Logger.Level = .info
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    /// A handler for standard error.
    public init() {}

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var text = ByteBuffer(capacity: 256)
        appendTime(to: &text)
        text.append(" [")
        text.append(level(event.level))
        text.append("]: ")
        appendPlain(event.message.description, to: &text)
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            text.append(byte: UInt8(ascii: " "))
            text.append(key)
            text.append("=\"")
            appendEscaped(value.description, to: &text)
            text.append(byte: UInt8(ascii: "\""))
        }
        text.append(byte: 0x0a)
        _ = write(STDERR_FILENO, text.pointer, text.count)
    }

    private func level(_ level: Logger.Level) -> String {
        switch level {
        case .warning: "warn"
        case .critical: "fatal"
        case .notice: "info"
        case .trace, .debug, .info, .error: level.rawValue
        }
    }

    /// Appends the text with line ends shown, so that no log content can begin a line of its own.
    private func appendPlain(_ message: String, to text: inout ByteBuffer) {
        for byte in message.utf8 {
            if byte == 0x0a {
                text.append("\n  ")
            } else {
                text.append(byte: byte < 0x20 ? 0x20 : byte)
            }
        }
    }

    private func appendTime(to text: inout ByteBuffer) {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        var room = [CChar](repeating: 0, count: 40)
        let count = strftime(&room, room.count, "%Y-%m-%d %H:%M:%S %z", &parts)
        text.append(room.prefix(count).map { UInt8(bitPattern: $0) })
    }
}
