/// One label by its symbols.
public struct Label: Hashable, Sendable {
    /// Its name.
    public var name: Symbol
    /// Its value, never empty: an empty value is no label.
    public var value: Symbol

    /// A label.
    public init(name: Symbol, value: Symbol) {
        self.name = name
        self.value = value
    }
}

/// A series' labels, ascending by the text of their names.
///
/// Copies share one storage; so does a set that has lost its name, which stands first nearly always.
public struct LabelSet: Sendable {
    private var storage: ContiguousArray<Label>
    /// Labels at the storage's beginning that are not among the set's.
    private var hiddenCount = 0

    /// No labels.
    public init() { storage = [] }

    /// Labels that are in order already, each name once, no value empty.
    public init(ordered labels: ContiguousArray<Label>) { storage = labels }

    /// The labels.
    public var labels: ArraySlice<Label> { ArraySlice(storage)[hiddenCount...] }

    /// How many there are.
    public var count: Int { storage.count - hiddenCount }

    /// The labels, to be read in a loop.
    @inline(__always)
    func withLabels<R>(_ body: (UnsafeBufferPointer<Label>) -> R) -> R {
        storage.withUnsafeBufferPointer {
            body(UnsafeBufferPointer(rebasing: $0[hiddenCount...]))
        }
    }

    /// The value of a label; the empty text's symbol where there is none.
    public func value(of name: Symbol) -> Symbol {
        withLabels { labels in
            for label in labels where label.name == name { return label.value }
            return .empty
        }
    }

    /// The same labels without the metric's name, type and unit.
    public var withoutMetadata: LabelSet {
        var rest = self
        withLabels { labels in
            for label in labels {
                if !label.name.isMetadata { break }
                rest.hiddenCount += 1
            }
        }
        let isLeft = rest.withLabels { labels in labels.contains { $0.name.isMetadata } }
        return isLeft ? filter { !$0.isMetadata } : rest
    }

    /// The same labels without one.
    public func removing(_ name: Symbol) -> LabelSet {
        value(of: name) == .empty ? self : filter { $0 != name }
    }

    /// The labels whose names pass, in order.
    public func filter(_ passes: (Symbol) -> Bool) -> LabelSet {
        var kept = ContiguousArray<Label>()
        withLabels { labels in
            for label in labels where passes(label.name) { kept.append(label) }
        }
        return LabelSet(ordered: kept)
    }
}

extension LabelSet: Hashable {
    public static func == (left: LabelSet, right: LabelSet) -> Bool {
        guard left.count == right.count else { return false }
        return left.withLabels { mine in
            right.withLabels { other in
                for place in mine.indices where mine[place] != other[place] { return false }
                return true
            }
        }
    }

    public func hash(into hasher: inout Hasher) {
        withLabels { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension QuerySymbols {
    /// A label set of names and values as texts; empty values are left out, and of a name given twice the
    /// last counts.
    public func labelSet(_ pairs: [(name: String, value: String)]) -> LabelSet {
        var set = LabelSet()
        for pair in pairs {
            set = setting(symbol(for: pair.name), to: symbol(for: pair.value), in: set)
        }
        return set
    }

    /// The labels with one of them set, or removed by an empty value.
    public func setting(_ name: Symbol, to value: Symbol, in set: LabelSet) -> LabelSet {
        if value == .empty { return set.removing(name) }
        var labels = ContiguousArray(set.labels)
        if let place = labels.firstIndex(where: { $0.name == name }) {
            labels[place].value = value
            return LabelSet(ordered: labels)
        }
        let nameText = text(of: name)
        let place = labels.firstIndex { Self.isBefore(nameText, text(of: $0.name)) } ?? labels.count
        labels.insert(Label(name: name, value: value), at: place)
        return LabelSet(ordered: labels)
    }

    /// Whether a label set comes before another: by names and values as texts, as Prometheus sorts.
    public func isBefore(_ left: LabelSet, _ right: LabelSet) -> Bool {
        for (mine, other) in zip(left.labels, right.labels) where mine != other {
            if mine.name != other.name {
                return Self.isBefore(text(of: mine.name), text(of: other.name))
            }
            return Self.isBefore(text(of: mine.value), text(of: other.value))
        }
        return left.count < right.count
    }

    /// Whether a text's bytes come before another's.
    public static func isBefore(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// The labels as names and values.
    public func pairs(of set: LabelSet) -> [(name: String, value: String)] {
        set.labels.map { (text(of: $0.name), text(of: $0.value)) }
    }
}
