import Synchronization
import WeirPipeline

/// The components of a configuration at work, for those who ask how they are.
public final class ObservedComponents: Sendable {
    struct Output: Sendable {
        var name: String
        var type: String
        var status: @Sendable () -> OutputStatus
    }

    struct Tail: Sendable {
        var name: String
        var files: TailFiles
    }

    private struct State {
        var outputs: [Output] = []
        var tails: [Tail] = []
    }

    private let state = Mutex(State())

    /// No components yet.
    public init() {}

    /// Notes an output; one without a buffer has nothing to tell.
    public func note(_ output: any WeirPipeline.Output, name: String, type: String) {
        guard let buffered = output as? BufferedOutput else { return }
        add(
            Output(name: name, type: type) { [weak buffered] in buffered?.status ?? OutputStatus() }
        )
    }

    /// Notes a source; one that follows no files has nothing to tell.
    public func note(_ source: any Source, name: String) {
        guard let tail = source as? TailSource else { return }
        add(Tail(name: name, files: tail.followed))
    }

    var outputs: [Output] { state.withLock { $0.outputs } }
    var tails: [Tail] { state.withLock { $0.tails } }

    func add(_ output: Output) { state.withLock { $0.outputs.append(output) } }
    func add(_ tail: Tail) { state.withLock { $0.tails.append(tail) } }
}
