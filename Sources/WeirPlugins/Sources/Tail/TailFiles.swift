import Synchronization

/// What is known of the files that a tail follows, by path, for those who ask from other threads.
final class TailFiles: Sendable {
    /// One path's file.
    struct File: Sendable, Equatable {
        var inode: UInt64
        /// Bytes read.
        var position: UInt64
        var openedCount: UInt64 = 1
        var closedCount: UInt64 = 0
        var rotatedCount: UInt64 = 0
        var throttledCount: UInt64 = 0
    }

    private let files = Mutex<[String: File]>([:])

    /// The files as they are now.
    var all: [String: File] { files.withLock { $0 } }

    /// Notes how far a path's file is read; another file than before, or a shorter one, is a rotation.
    func note(_ path: String, inode: UInt64, position: UInt64) {
        files.withLock { files in
            guard var file = files[path] else {
                files[path] = File(inode: inode, position: position)
                return
            }
            if file.inode != inode {
                file.openedCount += 1
                file.closedCount += 1
                file.rotatedCount += 1
            } else if position < file.position {
                file.rotatedCount += 1
            }
            file.inode = inode
            file.position = position
            files[path] = file
        }
    }

    /// Notes that a limit left bytes of a path unread.
    func noteThrottling(of path: String) {
        files.withLock { $0[path]?.throttledCount += 1 }
    }

    /// Forgets a path that is followed no more.
    func forget(_ path: String) { files.withLock { $0[path] = nil } }
}
