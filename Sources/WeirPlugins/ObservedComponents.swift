import Synchronization
import WeirPipeline

/// The components of a configuration that others may ask how they are.
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

    private let state = Mutex<(outputs: [Output], tails: [Tail])>(([], []))

    /// No components yet.
    public init() {}

    var outputs: [Output] { state.withLock { $0.outputs } }
    var tails: [Tail] { state.withLock { $0.tails } }

    func add(_ output: Output) { state.withLock { $0.outputs.append(output) } }
    func add(_ tail: Tail) { state.withLock { $0.tails.append(tail) } }
}
