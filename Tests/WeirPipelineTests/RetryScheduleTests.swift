import Testing
import WeirPipeline

@Suite("A chunk that fails") struct RetryScheduleTests {
    private func options(_ change: (inout RetryOptions) -> Void) -> RetryOptions {
        var options = RetryOptions()
        options.isRandomized = false
        change(&options)
        return options
    }

    private func waits(_ options: RetryOptions, count: Int) -> [RetryDecision] {
        var state = RetryState(options: options)
        var now: UInt64 = 1
        return (0..<count).map { _ in
            let decision = state.next(now: now)
            if case .retry(let wait) = decision { now += wait.nanoseconds }
            return decision
        }
    }

    @Test func `waits twice as long before each retry`() {
        #expect(
            waits(options { _ in }, count: 5)
                == [1, 2, 4, 8, 16].map { .retry(after: .seconds($0)) })
    }

    @Test func `waits at most the longest wait, or always the same`() {
        let capped = options { $0.maximumWait = .seconds(3) }
        #expect(waits(capped, count: 4) == [1, 2, 3, 3].map { .retry(after: .seconds($0)) })
        let periodic = options { $0.growth = .periodic }
        #expect(waits(periodic, count: 3) == [1, 1, 1].map { .retry(after: .seconds($0)) })
    }

    @Test func `gives up after the last of its retries`() {
        let limited = options { $0.maximumCount = 2 }
        #expect(
            waits(limited, count: 3)
                == [.retry(after: .seconds(1)), .retry(after: .seconds(2)), .giveUp])
    }

    @Test func `makes its last try at the timeout, then gives up`() {
        // As captured from Fluentd: retry_wait 0.5, retry_timeout 3 s: tries at 0, 0.5, 1.5, 3.
        let timed = options {
            $0.wait = .milliseconds(500)
            $0.timeout = .seconds(3)
        }
        #expect(
            waits(timed, count: 4)
                == [
                    .retry(after: .milliseconds(500)), .retry(after: .seconds(1)),
                    .retry(after: .milliseconds(1500)), .giveUp,
                ])
    }

    @Test func `goes to the secondary when its share of the timeout is over`() {
        let secondary = options {
            $0.wait = .milliseconds(500)
            $0.timeout = .seconds(5)
            $0.secondaryThreshold = 0.3
            $0.hasSecondary = true
        }
        // As captured from Fluentd: tries at 0 and 0.5; the one at 1.5 is the secondary's.
        #expect(
            waits(secondary, count: 2) == [.retry(after: .milliseconds(500)), .useSecondary])
    }

    @Test(arguments: [(0.0, 875), (0.5, 1000), (1.0, 1125)])
    func `moves a randomized wait by an eighth at most`(random: Double, milliseconds: Int) {
        var state = RetryState(options: RetryOptions())
        #expect(
            state.next(now: 0, random: random) == .retry(after: .milliseconds(milliseconds)))
    }

    @Test func `never overflows, however often it fails`() {
        let endless = options { $0.timeout = nil }
        var state = RetryState(options: endless)
        for _ in 0..<10_000 { _ = state.next(now: .max) }
        #expect(state.failureCount == 10_000)
    }
}
