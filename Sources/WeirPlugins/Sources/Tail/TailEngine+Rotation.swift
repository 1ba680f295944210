import WeirCore
import WeirHost
import WeirMetrics

/// Which file a path stands for, and which it stood for before.
extension TailEngine {
    // MARK: Opening

    /// Opens a path's first file where its reading was left, with the rotated ones before it.
    func begin(_ tailed: TailedPath, _ moment: Moment) {
        guard let (file, status) = openFile(of: tailed) else { return }
        var offset: UInt64 = 0
        let number: UInt64
        switch registry.start(path: tailed.path, file, status) {
        case .resume(let position, let known):
            offset = position
            number = known
            resumeRotated(tailed, status.identity, moment, takesUnknown: false)
        case .anew(let next):
            number = next
            resumeRotated(tailed, status.identity, moment)
        case .unknown(let next):
            number = next
            if !tailed.isNew, !around.options.readsFromHead { offset = status.size }
        }
        let generation = Generation(file, status: status, number: number, offset: offset)
        tailed.current = generation
        tailed.isBegun = true
        tailed.noteSiblings()
        registry.note(generation, path: tailed.path)
        registry.forgetPositions(of: tailed.path, inode: status.identity.inode)
        hasNewGenerations = true
    }

    /// Opens the file that a path stands for now; that it cannot be read is told once.
    private func openFile(of tailed: TailedPath) -> (file: OpenFile, status: FileStatus)? {
        do throws(SystemError) {
            let file = try around.open(tailed.path)
            let status = try file.status()
            guard status.isRegular, holder(of: status.identity) == nil else { return nil }
            tailed.isReportedUnreadable = false
            return (file, status)
        } catch {
            if !error.isAbsence, !tailed.isReportedUnreadable {
                tailed.isReportedUnreadable = true
                around.log(.unreadable(path: tailed.path, reason: "\(error)"))
                around.metrics.unreadable.add()
            }
            return nil
        }
    }

    /// Takes up a path whose file is gone, though not all of it is read, or whose next is awaited.
    func resumeAbsent(_ tailed: TailedPath, _ moment: Moment) {
        resumeRotated(tailed, nil, moment)
        tailed.noteSiblings()
        tailed.lastModified = Timestamp(seconds: moment.wall.seconds &- 1)
        tailed.isBegun = true
        registry.forgetPositions(of: tailed.path, inode: nil)
    }

    // MARK: Rotated files

    /// Takes up the rotated files that were not read to their end before a restart, and those that
    /// came and went while nobody looked.
    func resumeRotated(
        _ tailed: TailedPath, _ current: FileIdentity?, _ moment: Moment, takesUnknown: Bool = true
    ) {
        let siblings = RotatedFiles.siblings(of: tailed.path).filter {
            $0.status.identity != current && holder(of: $0.status.identity) == nil
        }
        var unknown: [(found: RotatedFiles.Found, file: OpenFile)] = []
        var known: [(found: RotatedFiles.Found, file: OpenFile, position: UInt64, number: UInt64)] =
            []
        for found in siblings {
            guard let file = try? around.open(found.path) else { continue }
            if let left = registry.rotated(tailed.path, file, found.status) {
                known.append((found, file, left.position, left.number))
                registry.noteRotated(
                    tailed.path, file, found.status, position: left.position, number: left.number)
            } else if !registry.hasFollowed(file, found.status) {
                unknown.append((found, file))
            }
        }
        for left in known where left.position < left.found.status.size {
            add(left.found, left.file, left.number, at: left.position, tailed, moment)
        }
        guard takesUnknown, let last = known.last else { return }
        // Younger than a file that was being read: these came in between.
        for (found, file) in unknown
        where found.status.modified >= last.found.status.modified && !matched.contains(found.path) {
            let number = registry.nextNumber(of: found.status.identity)
            add(found, file, number, at: 0, tailed, moment)
        }
    }

    private func add(
        _ found: RotatedFiles.Found, _ file: OpenFile, _ number: UInt64, at offset: UInt64,
        _ tailed: TailedPath, _ moment: Moment
    ) {
        let generation = Generation(file, status: found.status, number: number, offset: offset)
        generation.rotatedAt = moment.monotonic
        tailed.older.append(generation)
        registry.note(generation, path: tailed.path)
        hasNewGenerations = true
        around.metrics.rotations.add()
    }

    /// Takes up the files that came and went between two looks.
    private func takeUpMissed(_ tailed: TailedPath, _ current: FileIdentity?, _ moment: Moment) {
        let former = tailed.older.last
        for found in RotatedFiles.siblings(of: tailed.path)
        where !tailed.siblings.contains(found.status.identity)
            && found.status.identity != current && found.status.modified >= tailed.lastModified
            && !matched.contains(found.path) && holder(of: found.status.identity) == nil
        {
            guard let file = try? around.open(found.path),
                !registry.hasFollowed(file, found.status),
                former?.isCopied(by: file, size: found.status.size) != true
            else { continue }
            let number = registry.nextNumber(of: found.status.identity)
            add(found, file, number, at: 0, tailed, moment)
        }
    }

    // MARK: Rotation

    /// Looks which file a path stands for now, and whether its files are still what they were.
    func checkRotation(_ tailed: TailedPath, _ moment: Moment) {
        checkPath(tailed, moment)
        for (index, generation) in tailed.older.enumerated() {
            guard let status = try? generation.file.status() else { continue }
            if let anew = checkContent(of: generation, status, tailed, moment) {
                anew.rotatedAt = generation.rotatedAt
                tailed.older[index] = anew
            }
        }
    }

    private func checkPath(_ tailed: TailedPath, _ moment: Moment) {
        let status: FileStatus?
        switch FileStatus.of(tailed.path) {
        case .success(let found): status = found.isRegular ? found : nil
        case .failure(let error):
            // Other errors pass, and say nothing of the file.
            guard error.isAbsence else { return }
            status = nil
        }
        guard let current = tailed.current else {
            if let status {
                openNext(tailed, status, moment)
            } else if isDiscovering {
                takeUpMissed(tailed, nil, moment)
            }
            return
        }
        guard let status, status.identity == current.identity else {
            around.metrics.rotations.add()
            tailed.retireCurrent(now: moment.monotonic)
            if let status { openNext(tailed, status, moment) }
            if tailed.current == nil { takeUpMissed(tailed, status?.identity, moment) }
            return
        }
        if let anew = checkContent(of: current, status, tailed, moment) {
            tailed.current = anew
            tailed.noteSiblings()
        }
    }

    /// Notes how far a file has grown.
    /// - Returns: The generation that begins, when the file was emptied in place since.
    private func checkContent(
        of generation: Generation, _ status: FileStatus, _ tailed: TailedPath, _ moment: Moment
    ) -> Generation? {
        // Two changes within one tick of the clock look like one.
        let mayHaveChanged =
            status.size != generation.readOffset || status.modified != generation.modified
            || moment.wall.seconds &- status.modified.seconds <= 1
        guard mayHaveChanged, !generation.isIntact(size: status.size) else {
            if status.size > generation.knownSize { generation.grownAt = moment.monotonic }
            generation.knownSize = status.size
            generation.modified = status.modified
            return nil
        }
        let lost = generation.unreadByteCount
        around.metrics.lost(lost, .truncated)
        around.metrics.rotations.add()
        around.log(.truncated(path: tailed.path, lostByteCount: lost))
        let number = registry.nextNumber(of: generation.identity)
        let anew = Generation(generation.file, status: status, number: number, offset: 0)
        registry.note(anew, path: tailed.path)
        hasNewGenerations = true
        return anew
    }

    /// Goes on with the file that took the place of the former one.
    private func openNext(_ tailed: TailedPath, _ status: FileStatus, _ moment: Moment) {
        if let index = tailed.older.firstIndex(where: { $0.identity == status.identity }) {
            // Renamed back, or a link to an older file of its own.
            let generation = tailed.older.remove(at: index)
            generation.rotatedAt = nil
            tailed.current = generation
            return
        }
        guard let (file, opened) = openFile(of: tailed) else { return }
        takeUpMissed(tailed, opened.identity, moment)
        var offset: UInt64 = 0
        let number: UInt64
        switch registry.start(path: tailed.path, file, opened) {
        case .resume(let position, let known): (offset, number) = (position, known)
        case .anew(let next), .unknown(let next): number = next
        }
        let generation = Generation(file, status: opened, number: number, offset: offset)
        tailed.current = generation
        tailed.noteSiblings()
        registry.note(generation, path: tailed.path)
        hasNewGenerations = true
        around.watch(tailed.path)
    }
}
