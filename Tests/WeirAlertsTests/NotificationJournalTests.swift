import Testing
import WeirCore
import WeirTesting

@testable import WeirAlerts

@Suite("The journal of notifications") struct NotificationJournalTests {
    /// A receiver as a notifier has it: groups, what waits, and the journal's bytes.
    private struct Receiver: ~Copyable {
        var groups: NotificationGroups
        var waiting: [WaitingNotification] = []
        var journal = ByteBuffer()

        init(_ bytes: [UInt8] = [], at now: Int64 = 0) {
            var options = NotificationGroups.Options()
            options.groupWait = 0
            options.groupInterval = 1_000
            options.repeatInterval = 100_000
            groups = NotificationGroups(receiver: "r", options)
            let read = bytes.withUnsafeBytes { NotificationJournal($0) }
            read.restore(&groups, at: now)
            waiting = read.waiting
        }

        mutating func take(_ notices: [AlertNotice], at now: Int64) {
            _ = groups.take(notices, at: now)
            for flush in groups.flush(at: now, isMuted: { _ in false }) {
                let made = flush.notification.map {
                    WaitingNotification(
                        id: $0.id, groupKey: $0.groupKey,
                        body: Array("\($0.reason.rawValue) \($0.entries.count)".utf8))
                }
                if let made { waiting.append(made) }
                if flush.hasChanged {
                    _ = NotificationJournal.append(
                        flush.groupKey, of: groups, waiting: made, to: &journal)
                }
            }
        }

        mutating func finish(at now: Int64, hasArrived: Bool = true) {
            let done = waiting.removeFirst()
            if hasArrived {
                groups.noteArrival(done.groupKey, at: now)
            } else {
                groups.noteLoss(done.groupKey)
            }
            NotificationJournal.append(
                done: done.id, hasArrived: hasArrived, at: now, to: &journal)
        }

        var texts: [String] { waiting.map { String(decoding: $0.body, as: UTF8.self) } }
        var bytes: [UInt8] { Array(journal.bytes) }
    }

    private let alert = notice(["alertname": "A", "i": "1"], until: 10_000)

    @Test("keeps what waits, with its body and its name")
    func waiting() {
        var first = Receiver()
        first.take([alert], at: 0)
        let second = Receiver(first.bytes, at: 500)
        #expect(second.waiting == first.waiting)
        #expect(second.texts == ["first notification 1"])
    }

    @Test("keeps what was told: it is not told again, until it is to be repeated")
    func told() {
        var first = Receiver()
        first.take([alert], at: 0)
        first.finish(at: 10)
        var second = Receiver(first.bytes, at: 500)
        #expect(second.waiting.isEmpty)
        var lasting = alert
        lasting.endsAt = .max
        second.take([lasting], at: 1_000)
        second.take([], at: 99_000)
        #expect(second.texts == [])
        second.take([], at: 100_010)
        #expect(second.texts == ["repeat interval elapsed 1"])
    }

    @Test("keeps alerts that nobody speaks of any more: their end is told, not at once")
    func orphan() {
        var first = Receiver()
        first.take([alert], at: 0)
        first.finish(at: 10)
        var second = Receiver(first.bytes, at: 60_000)
        second.take([], at: 61_000)
        #expect(second.texts == [])
        second.take([], at: 60_000 + NotificationGroups.restoredLease)
        #expect(second.texts == ["all alerts resolved 1"])
    }

    @Test("of a lost notification says so: it is told anew")
    func lost() {
        var first = Receiver()
        first.take([alert], at: 0)
        first.finish(at: 10, hasArrived: false)
        var second = Receiver(first.bytes, at: 500)
        second.take([alert], at: 1_000)
        #expect(second.texts == ["first notification 1"])
    }

    @Test("written as a whole says the same")
    func whole() {
        var first = Receiver()
        first.take([alert, notice(["alertname": "B", "i": "1"])], at: 0)
        first.take([notice(["alertname": "A", "i": "2"])], at: 1_000)
        first.finish(at: 1_500)
        var all = ByteBuffer()
        NotificationJournal.append(all: first.groups, waiting: first.waiting, to: &all)
        let second = Receiver(Array(all.bytes), at: 2_000)
        #expect(second.waiting == first.waiting)
        #expect(second.groups.heldAlertCount == 3)
        #expect(second.groups.groups.mapValues(\.told) == first.groups.groups.mapValues(\.told))
        #expect(
            second.groups.groups.mapValues(\.unsentCount)
                == first.groups.groups.mapValues(\.unsentCount))
    }

    @Test("forgets groups by another grouping")
    func regrouped() {
        var first = Receiver()
        first.take([alert], at: 0)
        first.finish(at: 10)
        var options = NotificationGroups.Options()
        options.groupBy = ["i"]
        var groups = NotificationGroups(receiver: "r", options)
        first.bytes.withUnsafeBytes { NotificationJournal($0) }.restore(&groups, at: 0)
        #expect(groups.heldAlertCount == 0)
    }

    @Test("cut at any byte says what stood before; damaged, it never says what was not written")
    func damage() {
        var first = Receiver()
        first.take([alert], at: 0)
        let one = first.bytes.count
        first.finish(at: 10)
        first.take([notice(["alertname": "A", "i": "2"])], at: 1_000)
        let bytes = first.bytes
        for count in bytes.indices {
            let read = Array(bytes.prefix(count)).withUnsafeBytes { NotificationJournal($0) }
            #expect(read.waiting.count <= 1)
            #expect(read.lostByteCount <= count)
            if count < one { #expect(read.waiting.isEmpty && read.lostByteCount == count) }
        }
        for place in bytes.indices {
            var broken = bytes
            broken[place] ^= 0x41
            let read = broken.withUnsafeBytes { NotificationJournal($0) }
            #expect(read.lostByteCount > 0)
            for notification in read.waiting {
                #expect(
                    ["first notification 1", "new alerts added 2"].contains(
                        String(decoding: notification.body, as: UTF8.self)))
            }
        }
    }

    @Test("of any payload under a good checksum is read or refused, and never traps")
    func fuzz() {
        var generator = SeededGenerator(announcing: "the journal of notifications")
        var first = Receiver()
        first.take([alert], at: 0)
        let head = ChecksummedFrame.headByteCount
        let payload = Array(first.bytes.dropFirst(head))
        for _ in 0..<5_000 {
            var changed = payload
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: changed.indices, using: &generator)
                changed[place] = UInt8.random(in: 0...255, using: &generator)
            }
            if Bool.random(using: &generator) {
                changed.removeLast(Int.random(in: 0..<changed.count, using: &generator))
            }
            var frame = ByteBuffer()
            changed.withUnsafeBytes { _ = NotificationJournal.frame.append($0, to: &frame) }
            let receiver = Receiver(
                Array(frame.bytes), at: Int64.random(in: 0...1_000_000, using: &generator))
            #expect(receiver.waiting.count <= 1)
        }
    }
}
