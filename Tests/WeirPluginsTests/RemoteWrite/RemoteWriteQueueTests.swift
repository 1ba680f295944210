import Testing
import WeirMetrics
import WeirPipeline
import WeirTesting

@testable import WeirPlugins

private func request(_ number: Int64, byteCount: Int = 10) -> RemoteWriteRequest {
    RemoteWriteRequest(
        body: Array(repeating: 0, count: byteCount), milliseconds: number,
        counts: RemoteWriteRequest.Counts(samples: 1))
}

private func done(_ reason: String = "") -> RemoteWriteAnswer.Verdict {
    .done(written: RemoteWriteRequest.Counts(), lost: RemoteWriteRequest.Counts(), reason)
}

extension RemoteWriteQueue {
    /// The number of the request that is sent next.
    fileprivate mutating func sent(now: UInt64 = 0, milliseconds: Int64 = 0) -> Int64? {
        guard case .send(let request) = next(now: now, milliseconds: milliseconds).step else {
            return nil
        }
        return request.milliseconds
    }

    fileprivate mutating func fails(
        now: UInt64 = 0, after: Duration? = nil
    ) -> Duration? {
        guard
            case .waits(let wait) = finish(
                .retry("status_503", after: after), now: now, random: 0.5)
        else { return nil }
        return wait
    }
}

@Suite("The queue of a remote write") struct RemoteWriteQueueTests {
    private static func options(
        _ change: (inout RemoteWriteQueue.Options) -> Void = { _ in }
    )
        -> RemoteWriteQueue.Options
    {
        var options = RemoteWriteQueue.Options()
        options.retry.maximumWait = .seconds(30)
        change(&options)
        return options
    }

    @Test func `sends one request after the other, the oldest first`() {
        var queue = RemoteWriteQueue(Self.options())
        for number in 1...3 { #expect(queue.append(request(Int64(number))).isEmpty) }
        for number in 1...3 {
            #expect(queue.sent() == Int64(number))
            _ = queue.finish(done(), now: 0)
        }
        #expect(queue.sent() == nil)
        #expect(queue.byteCount == 0)
    }

    @Test func `sends the same request again until it is taken, later each time`() {
        var queue = RemoteWriteQueue(Self.options())
        _ = queue.append(request(1))
        _ = queue.append(request(2))
        var now: UInt64 = 0
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            #expect(queue.sent(now: now) == 1)
            #expect(queue.fails(now: now) == .seconds(seconds))
            #expect(queue.sent(now: now &+ UInt64(seconds) * 1_000_000_000 - 1) == nil)
            now &+= UInt64(seconds) * 1_000_000_000
        }
        #expect(queue.sent(now: now) == 1)
        _ = queue.finish(done(), now: now)
        #expect(queue.sent(now: now) == 2)
        #expect(queue.fails(now: now) == .seconds(1), "the waits begin anew")
    }

    @Test func `waits as long as the receiver asks for`() {
        var queue = RemoteWriteQueue(Self.options())
        _ = queue.append(request(1))
        _ = queue.sent()
        #expect(queue.fails(after: .seconds(90)) == .seconds(90))
        #expect(queue.sent(now: 89_999_999_999) == nil)
        #expect(queue.sent(now: 90_000_000_000) == 1)
        #expect(queue.fails(now: 90_000_000_000, after: .zero) == .seconds(2))
    }

    @Test func `gives up the oldest that are not under way when there is no room`() {
        var queue = RemoteWriteQueue(Self.options { $0.byteLimit = 30 })
        for number in 1...3 { #expect(queue.append(request(Int64(number))).isEmpty) }
        #expect(queue.sent() == 1)
        #expect(!queue.hasRoom(for: request(4)))
        #expect(queue.append(request(4)).map(\.reason) == ["queue_full"])
        _ = queue.finish(done(), now: 0)
        #expect(queue.sent() == 3)
        _ = queue.fails()
        // Nothing is under way now: the oldest of all goes.
        #expect(queue.append(request(5, byteCount: 20)).count == 1)
        #expect(queue.byteCount == 30)
        #expect(queue.append(request(6, byteCount: 25)).count == 2)
        #expect(queue.sent(now: 1 << 40) == 6)
    }

    @Test func `takes a request that is too large by itself only when it is alone`() {
        var queue = RemoteWriteQueue(Self.options { $0.byteLimit = 30 })
        #expect(queue.append(request(1, byteCount: 50)).isEmpty)
        #expect(queue.sent() == 1)
        #expect(queue.append(request(2)).map(\.reason) == ["queue_full"])
    }

    @Test func `gives up what is too old`() {
        var queue = RemoteWriteQueue(Self.options { $0.ageLimit = .seconds(60) })
        _ = queue.append(request(1_000))
        _ = queue.append(request(50_000))
        let (step, dropped) = queue.next(now: 0, milliseconds: 70_000)
        #expect(dropped.map(\.reason) == ["too_old"])
        guard case .send(let sent) = step else {
            Issue.record("nothing is sent")
            return
        }
        #expect(sent.milliseconds == 50_000)
    }

    @Test func `sends all that waits after it was closed, then ends`() {
        var queue = RemoteWriteQueue(Self.options())
        _ = queue.append(request(1))
        _ = queue.sent()
        _ = queue.fails()
        queue.close()
        #expect(queue.append(request(2)).map(\.reason) == ["stopped"])
        #expect(queue.sent() == 1, "at once")
        _ = queue.finish(done(), now: 0)
        guard case .ended = queue.next(now: 0, milliseconds: 0).step else {
            Issue.record("it has not ended")
            return
        }
    }

    @Test func `tries nothing again after it was abandoned`() {
        var queue = RemoteWriteQueue(Self.options())
        for number in 1...3 { _ = queue.append(request(Int64(number))) }
        _ = queue.sent()
        #expect(queue.abandon().count == 2)
        guard case .dropped(let dropped) = queue.finish(.retry("stopped", after: nil), now: 0)
        else {
            Issue.record("it is tried again")
            return
        }
        #expect(dropped.reason == "stopped")
        #expect(queue.byteCount == 0)
        guard case .ended = queue.next(now: 0, milliseconds: 0).step else {
            Issue.record("it has not ended")
            return
        }
    }

    @Test func `never sends out of order, and counts what it gives up, whatever happens`() {
        var random = SeededGenerator(announcing: "RemoteWriteQueueTests")
        let time = FuzzTime()
        while time.isLeft {
            var queue = RemoteWriteQueue(
                Self.options {
                    $0.byteLimit = random.number(10...200)
                    if random.number(0...1) == 0 { $0.ageLimit = .milliseconds(30) }
                })
            var (made, taken, dropped) = (Int64(0), [Int64](), 0)
            var now: UInt64 = 0
            var last: Int64 = 0
            for _ in 0..<random.number(1...200) {
                now &+= UInt64(random.number(0...3)) * 500_000_000
                if random.number(0...1) == 0 {
                    made += 1
                    dropped +=
                        queue.append(request(made, byteCount: random.number(1...60))).count
                }
                let next = queue.next(now: now, milliseconds: made)
                dropped += next.dropped.count
                guard case .send(let sent) = next.step else { continue }
                #expect(sent.milliseconds >= last)
                last = sent.milliseconds
                if random.number(0...2) == 0 {
                    _ = queue.finish(.retry("x", after: nil), now: now)
                } else {
                    _ = queue.finish(done(), now: now)
                    taken.append(sent.milliseconds)
                }
            }
            #expect(zip(taken, taken.dropFirst()).allSatisfy { $0 < $1 })
            #expect(Int(made) == taken.count + dropped + queue.count)
        }
    }
}

@Suite("What a receiver answers") struct RemoteWriteAnswerTests {
    private static let counts = RemoteWriteRequest.Counts(samples: 10, histograms: 2, exemplars: 3)
    private static let none = RemoteWriteRequest.Counts()

    @Test(arguments: [200, 204, 299]) func `is a success in version 1`(status: Int) {
        #expect(
            RemoteWriteAnswer(status: status).verdict(on: Self.counts, version: .one)
                == .done(written: Self.counts, lost: Self.none, ""))
    }

    @Test(arguments: RemoteWriteVersion.allCases, [429, 500, 502, 503, 599])
    func `is to be asked again later`(version: RemoteWriteVersion, status: Int) {
        let answer = RemoteWriteAnswer(status: status, retryAfter: .seconds(3))
        #expect(
            answer.verdict(on: Self.counts, version: version)
                == .retry("status_\(status)", after: .seconds(3)))
    }

    @Test(arguments: RemoteWriteVersion.allCases, [301, 400, 401, 404, 413, 415, 422])
    func `is final`(version: RemoteWriteVersion, status: Int) {
        #expect(
            RemoteWriteAnswer(status: status).verdict(on: Self.counts, version: version)
                == .done(written: Self.none, lost: Self.counts, "status_\(status)"))
    }

    @Test func `says in version 2 what was written, also when it is a refusal`() {
        let headers = [
            RemoteWriteAnswer.Header.samples: "7", RemoteWriteAnswer.Header.histograms: "2",
        ]
        let written = RemoteWriteRequest.Counts(samples: 7, histograms: 2)
        let lost = RemoteWriteRequest.Counts(samples: 3, exemplars: 3)
        for (status, reason) in [(400, "status_400"), (200, "not_written")] {
            #expect(
                RemoteWriteAnswer(status: status, headers: headers)
                    .verdict(on: Self.counts, version: .two)
                    == .done(written: written, lost: lost, reason))
        }
    }

    @Test func `is not believed in version 2 when it does not say what was written`() {
        #expect(
            RemoteWriteAnswer(status: 204).verdict(on: Self.counts, version: .two)
                == .done(written: Self.none, lost: Self.counts, "not_understood"))
    }

    @Test(arguments: ["-5", "99", "many", ""])
    func `has numbers that are believed within limits`(text: String) {
        let answer = RemoteWriteAnswer(
            status: 200, headers: [RemoteWriteAnswer.Header.samples: text])
        guard
            case .done(let written, let lost, _) = answer.verdict(on: Self.counts, version: .two)
        else {
            Issue.record("it is sent again")
            return
        }
        #expect(written.samples == (text == "99" ? 10 : 0))
        #expect(written.samples + lost.samples == 10)
    }
}
