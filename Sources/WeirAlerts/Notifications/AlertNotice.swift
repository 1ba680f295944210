import WeirCore

/// What somebody is told of an alert: that it fires, still, or that it has ended.
public struct AlertNotice: Sendable {
    /// Its labels with the external ones, ascending by name.
    public var labels: [(name: String, value: String)]
    /// Its texts.
    public var annotations: [(name: String, value: String)]
    /// Since when it fires, in milliseconds.
    public var startsAt: Int64
    /// Until when this holds: beyond now while it fires, when it ended after that.
    public var endsAt: Int64
    /// Whether it has ended.
    public var isResolved: Bool
    /// Where its expression can be looked at.
    public var generatorURL: String

    /// A notice by its parts; labels ascend by name.
    public init(
        labels: [(name: String, value: String)], annotations: [(name: String, value: String)],
        startsAt: Int64, endsAt: Int64, isResolved: Bool, generatorURL: String
    ) {
        self.labels = labels
        self.annotations = annotations
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.isResolved = isResolved
        self.generatorURL = generatorURL
    }

    /// The labels as one text, which tells alerts apart.
    public var key: String { labels.map { "\($0.name)\u{ff}\($0.value)\u{ff}" }.joined() }

    /// A number that follows from the labels alone, as Alertmanager has it: FNV-1a over names and values,
    /// a byte 255 behind each.
    public var fingerprint: UInt64 { hash.value }

    /// The fingerprint in 16 hexadecimal digits.
    public var fingerprintText: String { hash.text }

    private var hash: FNV1a {
        var hash = FNV1a()
        for label in labels {
            for text in [label.name, label.value] {
                hash.add(text)
                hash.add(0xff)
            }
        }
        return hash
    }

    /// Whether it has ended by a time: it said so, or nobody said that it goes on.
    public func isResolved(at time: Int64) -> Bool { isResolved || endsAt <= time }

    /// The value of a label; empty where there is none.
    public subscript(label: String) -> String {
        labels.first { $0.name == label }?.value ?? ""
    }
}
