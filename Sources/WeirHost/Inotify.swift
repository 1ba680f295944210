import CShims
import Glibc

/// The kernel's word that files changed: wakes a reader before its timer does.
public final class Inotify: @unchecked Sendable {
    // Safe because the descriptors are set once; the kernel orders the calls.
    private let descriptor: Int32
    private let waker: Int32

    /// A watch of nothing; without inotify (`EMFILE`) it only sleeps.
    public init() {
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        waker = weir_make_waker()
    }

    deinit {
        for file in [descriptor, waker] where file >= 0 { close(file) }
    }

    /// Watches a file or folder for changes. Watching one again is harmless.
    public func watch(_ path: String) {
        guard descriptor >= 0 else { return }
        inotify_add_watch(
            descriptor, path,
            UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE))
    }

    /// Sleeps until something changed, somebody woke it, or the time is over.
    public func wait(milliseconds: Int32) {
        var events = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: waker, events: Int16(POLLIN), revents: 0),
        ]
        poll(&events, 2, milliseconds)
        drain(descriptor)
        drain(waker)
    }

    private func drain(_ file: Int32) {
        guard file >= 0 else { return }
        var room = [UInt8](repeating: 0, count: 4096)
        while read(file, &room, room.count) > 0 {}
    }

    /// Sleeps for a short time, whatever happens.
    public func pause(milliseconds: Int32) { poll(nil, 0, milliseconds) }

    /// Wakes the sleeper.
    public func wake() {
        var one: UInt64 = 1
        _ = write(waker, &one, 8)
    }
}
