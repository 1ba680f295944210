import WeirCore

/// The hosts of a cluster in turn; one that failed is left alone for a while.
///
/// A plain state machine: times are monotonic nanoseconds passed in.
struct HostRing {
    /// How long a host is left alone after its first failure; each further one doubles it.
    static let firstPause: UInt64 = 1_000_000_000
    /// The longest pause: a host that came back is found again within a minute.
    static let longestPause: UInt64 = 60_000_000_000

    private struct Host {
        var host: ElasticsearchConnection.Host
        var failureCount = 0
        var deadUntil: UInt64 = 0
    }

    private var hosts: [Host]
    private var turn = 0

    /// A ring of hosts; there must be one.
    init(_ hosts: [ElasticsearchConnection.Host]) {
        precondition(!hosts.isEmpty, "a cluster has a host")
        self.hosts = hosts.map { Host(host: $0) }
    }

    /// The next living host, or the one whose pause ends first when all are dead.
    mutating func next(now: UInt64) -> (index: Int, host: ElasticsearchConnection.Host) {
        for _ in hosts.indices {
            let index = turn
            turn = (turn + 1) % hosts.count
            if hosts[index].deadUntil <= now { return (index, hosts[index].host) }
        }
        let index = hosts.indices.min { hosts[$0].deadUntil < hosts[$1].deadUntil } ?? 0
        return (index, hosts[index].host)
    }

    /// A host answered.
    mutating func noteAnswer(_ index: Int) {
        hosts[index].failureCount = 0
        hosts[index].deadUntil = 0
    }

    /// A host did not answer.
    mutating func noteFailure(_ index: Int, now: UInt64) {
        let doublings = UInt64(min(hosts[index].failureCount, 16))
        hosts[index].failureCount += 1
        hosts[index].deadUntil = now &+ min(Self.firstPause << doublings, Self.longestPause)
    }
}
