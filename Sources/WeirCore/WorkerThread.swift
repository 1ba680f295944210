import CShims
import Glibc

/// Threads that do blocking work: readers, senders, writers of buffer files.
public enum WorkerThread {
    private final class Body {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Runs `body` on a new detached thread of this name (at most 15 bytes).
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Body(name, body)).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
                weir_name_thread(body.name)
                body.run()
                return nil
            }, context)
        precondition(result == 0, "the system gives a thread")
        pthread_detach(thread)
    }
}
