import Glibc
import WeirConfig
import WeirCore
import WeirPipeline

/// `@type stdout`: writes events to standard output.
public final class StdoutDestination: ChunkDestination {
    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .output, type: "stdout", "Writes events to standard output.",
        ignored: [
            IgnoredParameter("use_logger", because: "events and the log are two streams")
        ],
        sections: [
            LineFormat.section(default: "stdout"), BufferSection.declaration,
            SecondarySection.declaration,
        ],
        examples: ["<match **>\n  @type stdout\n</match>"])

    private let format: LineFormat

    init(_ section: Section) {
        format = LineFormat(section.section("format"), default: .stdout)
    }

    public func makeEncoder() -> any ChunkEncoder { LineEncoder(format) }

    public func makeSender() -> any ChunkSender { StdoutSender() }

    public func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        LineRecord.text(of: event)
    }
}

/// Writes chunks to standard output.
private final class StdoutSender: ChunkSender {
    func send(_ chunk: Chunk, rejected: ([Rejection]) -> Void) -> DeliveryOutcome {
        var rest = chunk.body.bytes
        while !rest.isEmpty {
            let count = write(STDOUT_FILENO, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                return .retry(reason: "standard output is closed", after: nil, progressed: false)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return .delivered
    }

    func abort() {}
}

/// Finds the record in an event that was written as a line.
enum LineRecord {
    /// From the first brace to the line's end; empty when the format keeps no record.
    static func text(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let start = event.firstIndex(of: UInt8(ascii: "{")) else {
            return UnsafeRawBufferPointer(rebasing: event[..<0])
        }
        let end = event.last == 0x0a ? event.count - 1 : event.count
        return UnsafeRawBufferPointer(rebasing: event[start..<end])
    }
}
