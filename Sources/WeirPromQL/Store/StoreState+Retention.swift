import WeirCore

extension StoreState {
    /// The share of the limit that an eviction frees beyond what is needed, so that it is seldom.
    private static let evictionShare = 16
    /// Steps of time among which an eviction looks for the one to forget up to.
    private static let stepCount = 512

    /// Sets the clock, by which samples are too old or too far ahead.
    mutating func advance(to now: Int64) {
        self.now = now
        horizon = now.subtractingClamped(limits.retention.milliseconds)
        ahead = now.addingClamped(limits.aheadLimit.milliseconds)
    }

    /// Forgets what is too old of some series.
    mutating func expire(_ places: Range<Int>) {
        let farthest = max(ahead, (now ?? 0).addingClamped(limits.retention.milliseconds))
        for place in places.clamped(to: slots.indices) where slots[place].page != nil {
            if slots[place].isEmpty, slots[place].lastTime == .max {
                slots[place].lastTime = now ?? .max
            }
            // What lies further ahead than anything is kept would never grow old.
            guard slots[place].lastTime >= horizon, slots[place].lastTime <= farthest else {
                totals.expiredSampleCount &+= forgetAll(place)
                continue
            }
            if !slots[place].isEmpty, slots[place].firstTime < horizon {
                let edge = horizon
                totals.expiredSampleCount &+= forget(place) { $0 < edge }
            }
        }
    }

    /// Room may have been made: the limit holds again.
    mutating func endExpiry() {
        if totals.byteCount <= limits.byteLimit { evictionByteCount = limits.byteLimit }
        rebuildSymbolsIfWorthwhile()
    }

    /// Forgets the oldest chunks of all series until there is room.
    mutating func evict() {
        let goal = limits.byteLimit - limits.byteLimit / Self.evictionShare
        let needed = totals.byteCount - goal
        if needed > 0, let edge = evictionEdge(freeing: needed) {
            for place in slots.indices where slots[place].page != nil && !slots[place].isEmpty {
                guard slots[place].firstTime <= edge else { continue }
                totals.evictedSampleCount &+= forget(place) { $0 <= edge }
            }
        }
        evictionByteCount = max(
            limits.byteLimit, totals.byteCount + limits.byteLimit / Self.evictionShare)
    }

    /// The time up to which chunks must be forgotten to free so many bytes.
    private func evictionEdge(freeing needed: Int) -> Int64? {
        var oldest = Int64.max
        var newest = Int64.min
        eachChunk { last, _ in
            oldest = min(oldest, last)
            newest = max(newest, last)
        }
        guard oldest <= newest else { return nil }
        let width = (newest.magnitude(from: oldest) / UInt64(Self.stepCount)) &+ 1
        var freed = [Int](repeating: 0, count: Self.stepCount)
        eachChunk { last, bytes in
            freed[Int(last.magnitude(from: oldest) / width)] += bytes
        }
        var sum = 0
        for (step, bytes) in freed.enumerated() {
            sum += bytes
            if sum >= needed {
                let span = width &* UInt64(step + 1) &- 1
                if span >= newest.magnitude(from: oldest) { break }
                return Int64(bitPattern: UInt64(bitPattern: oldest) &+ span)
            }
        }
        return newest
    }

    private func eachChunk(_ body: (_ last: Int64, _ byteCount: Int) -> Void) {
        for slot in slots {
            guard let page = slot.page else { continue }
            for chunk in page.chunks { body(chunk.last, chunk.byteCount) }
            for chunk in page.histograms { body(chunk.last, chunk.byteCount) }
        }
    }

    /// Forgets the chunks whose last time is too old, and the series when it has no samples then.
    /// - Returns: The samples forgotten.
    private mutating func forget(_ place: Int, where isOld: (Int64) -> Bool) -> UInt64 {
        guard let present = slots[place].page,
            present.chunks.first.map({ isOld($0.last) }) == true
                || present.histograms.first.map({ isOld($0.last) }) == true
        else { return 0 }
        return forgetChunks(place, where: isOld)
    }

    private mutating func forgetChunks(_ place: Int, where isOld: (Int64) -> Bool) -> UInt64 {
        guard let page = ownPage(place) else { return 0 }
        var samples = 0
        var bytes = 0
        let old = page.chunks.prefix { isOld($0.last) }
        for chunk in old {
            samples += chunk.sampleCount
            bytes += chunk.byteCount
        }
        page.chunks = ContiguousArray(page.chunks.dropFirst(old.count))
        let oldHistograms = page.histograms.prefix { isOld($0.last) }
        for chunk in oldHistograms {
            samples += chunk.count
            bytes += chunk.byteCount
        }
        page.histograms = ContiguousArray(page.histograms.dropFirst(oldHistograms.count))
        totals.byteCount -= bytes
        totals.sampleCount -= samples
        if page.chunks.isEmpty, page.histograms.isEmpty, slots[place].tailCount == 0 {
            remove(place)
        } else {
            slots[place].firstTime = page.firstTime(tailCount: Int(slots[place].tailCount))
        }
        return UInt64(samples)
    }

    /// Removes a series with all its samples.
    /// - Returns: The samples forgotten.
    private mutating func forgetAll(_ place: Int) -> UInt64 {
        guard let page = slots[place].page else { return 0 }
        let samples = page.sampleCount(tailCount: Int(slots[place].tailCount))
        totals.sampleCount -= samples
        remove(place)
        return UInt64(samples)
    }
}

extension SeriesPage {
    /// All samples.
    func sampleCount(tailCount: Int) -> Int {
        chunks.reduce(tailCount) { $0 + $1.sampleCount }
            + histograms.reduce(0) { $0 + $1.count }
    }

    /// The oldest sample's time.
    func firstTime(tailCount: Int) -> Int64 {
        var time = chunks.first?.first ?? (tailCount > 0 ? tailBase : .max)
        if let histogram = histograms.first { time = min(time, histogram.first) }
        return time
    }
}

extension Int64 {
    func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    func subtractingClamped(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }

    /// How far it is from a smaller number.
    func magnitude(from smaller: Int64) -> UInt64 {
        UInt64(bitPattern: self) &- UInt64(bitPattern: smaller)
    }
}
