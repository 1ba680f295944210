import WeirCore

/// A notification as it waits to be sent: its body is written once, and is the same at every try.
public struct WaitingNotification: Sendable, Equatable {
    /// Tells it apart from all others.
    public var id: String
    /// The group that it tells of.
    public var groupKey: String
    /// What is sent.
    public var body: [UInt8]

    /// A notification by its parts.
    public init(id: String, groupKey: String, body: [UInt8]) {
        self.id = id
        self.groupKey = groupKey
        self.body = body
    }
}

/// What a journal of notifications says, frame by frame: a frame that is whole says all that belongs together.
public struct NotificationJournal: Sendable {
    /// The frames of its file.
    public static let frame = ChecksummedFrame(magic: "WNJ1", payloadByteLimit: 64 << 20)

    private enum Kind: UInt8 {
        /// A group, and perhaps a notification of it that waits now.
        case group = 1
        /// A notification waits no more.
        case done = 2
        /// A group is forgotten.
        case forgotten = 3
    }

    /// What waits, in its order.
    public private(set) var waiting: [WaitingNotification] = []
    private var groups: [String: NotificationGroups.Group] = [:]
    /// Bytes behind the last whole frame: cut off by a crash, or broken.
    public private(set) var lostByteCount = 0

    /// What the bytes of a file say, which may be any.
    public init(_ bytes: UnsafeRawBufferPointer) {
        var place = 0
        while let payload = Self.frame.payload(of: bytes, at: place) {
            guard (try? read(payload)) != nil else { break }
            place += ChecksummedFrame.headByteCount + payload.count
        }
        lostByteCount = bytes.count - place
    }

    private mutating func read(_ payload: UnsafeRawBufferPointer) throws(ByteCursor.Broken) {
        var cursor = ByteCursor(payload)
        guard let kind = Kind(rawValue: try cursor.byte()) else { throw ByteCursor.Broken() }
        let name = try cursor.text()
        switch kind {
        case .group:
            let group = try Self.group(&cursor)
            if try cursor.byte() == 1 {
                waiting.append(
                    WaitingNotification(
                        id: try cursor.text(), groupKey: name, body: try cursor.bytes()))
            }
            groups[name] = group
        case .done:
            let time = Int64(bitPattern: try cursor.word())
            let hasArrived = try cursor.byte() == 1
            for done in waiting where done.id == name {
                if hasArrived {
                    groups[done.groupKey]?.told?.time = time
                } else {
                    groups[done.groupKey]?.told = nil
                }
            }
            waiting.removeAll { $0.id == name }
        case .forgotten: groups[name] = nil
        }
        guard cursor.isAtEnd else { throw ByteCursor.Broken() }
    }

    /// Gives the groups back to who told of them.
    public func restore(_ groups: inout NotificationGroups, at now: Int64) {
        for (key, group) in self.groups { groups.restore(key, group, at: now) }
        for notification in waiting { groups.noteWaiting(notification.groupKey) }
        groups.bound(at: now)
    }

    // MARK: Writing

    /// Appends that a group was looked at, and what waits since.
    public static func append(
        _ key: String, of groups: NotificationGroups, waiting: WaitingNotification?,
        to buffer: inout ByteBuffer
    ) -> Bool {
        guard let group = groups.groups[key] else { return true }
        var payload = ByteBuffer(capacity: 1_024)
        payload.append(byte: Kind.group.rawValue)
        payload.append(text: key)
        append(group, to: &payload)
        payload.append(byte: waiting == nil ? 0 : 1)
        if let waiting {
            payload.append(text: waiting.id)
            payload.append(varint: UInt64(waiting.body.count))
            payload.append(waiting.body)
        }
        return frame.append(payload.bytes, to: &buffer)
    }

    /// Appends that a notification waits no more.
    public static func append(
        done id: String, hasArrived: Bool, at time: Int64, to buffer: inout ByteBuffer
    ) {
        var payload = ByteBuffer(capacity: 64)
        payload.append(byte: Kind.done.rawValue)
        payload.append(text: id)
        payload.append(word: UInt64(bitPattern: time))
        payload.append(byte: hasArrived ? 1 : 0)
        frame.append(payload.bytes, to: &buffer)
    }

    /// Appends that a group is forgotten.
    public static func append(forgotten key: String, to buffer: inout ByteBuffer) {
        var payload = ByteBuffer(capacity: 64)
        payload.append(byte: Kind.forgotten.rawValue)
        payload.append(text: key)
        frame.append(payload.bytes, to: &buffer)
    }

    /// Appends all that is to be known: what waits, in its order, and every group.
    public static func append(
        all groups: NotificationGroups, waiting: [WaitingNotification], to buffer: inout ByteBuffer
    ) {
        for notification in waiting {
            _ = append(notification.groupKey, of: groups, waiting: notification, to: &buffer)
        }
        let told = Set(waiting.map(\.groupKey))
        for key in groups.groups.keys.sorted() where !told.contains(key) {
            _ = append(key, of: groups, waiting: nil, to: &buffer)
        }
    }

    // MARK: Groups

    private static func append(_ group: NotificationGroups.Group, to payload: inout ByteBuffer) {
        payload.append(pairs: group.labels)
        payload.append(word: UInt64(bitPattern: group.due ?? .max))
        payload.append(byte: group.told == nil ? 0 : 1)
        if let told = group.told {
            payload.append(word: UInt64(bitPattern: told.time))
            for set in [told.firing, told.resolved] {
                payload.append(varint: UInt64(set.count))
                for fingerprint in set { payload.append(word: fingerprint) }
            }
        }
        payload.append(varint: UInt64(group.alerts.count))
        for notice in group.alerts.values {
            payload.append(pairs: notice.labels)
            payload.append(pairs: notice.annotations)
            payload.append(word: UInt64(bitPattern: notice.startsAt))
            payload.append(word: UInt64(bitPattern: notice.endsAt))
            payload.append(byte: notice.isResolved ? 1 : 0)
            payload.append(text: notice.generatorURL)
        }
    }

    private static func group(
        _ cursor: inout ByteCursor
    ) throws(ByteCursor.Broken) -> NotificationGroups.Group {
        var group = NotificationGroups.Group(labels: try cursor.pairs())
        let due = Int64(bitPattern: try cursor.word())
        group.due = due == .max ? nil : due
        if try cursor.byte() == 1 {
            let time = Int64(bitPattern: try cursor.word())
            let firing = try fingerprints(&cursor)
            group.told = NotificationGroups.Told(
                firing: firing, resolved: try fingerprints(&cursor), time: time)
        }
        for _ in 0..<(try cursor.count(ofAtLeast: 20)) {
            let notice = AlertNotice(
                labels: try cursor.pairs(), annotations: try cursor.pairs(),
                startsAt: Int64(bitPattern: try cursor.word()),
                endsAt: Int64(bitPattern: try cursor.word()), isResolved: try cursor.byte() == 1,
                generatorURL: try cursor.text())
            group.alerts[notice.fingerprint] = notice
        }
        return group
    }

    private static func fingerprints(
        _ cursor: inout ByteCursor
    ) throws(ByteCursor.Broken) -> Set<UInt64> {
        var set: Set<UInt64> = []
        for _ in 0..<(try cursor.count(ofAtLeast: 8)) { set.insert(try cursor.word()) }
        return set
    }
}
