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
public struct LabelSet: Hashable, Sendable {
    /// The labels.
    public private(set) var labels: ContiguousArray<Label>

    /// No labels.
    public init() { labels = [] }

    /// Labels that are in order already, each name once, no value empty.
    public init(ordered labels: ContiguousArray<Label>) { self.labels = labels }

    /// The value of a label; the empty text's symbol where there is none.
    public func value(of name: Symbol) -> Symbol {
        for label in labels where label.name == name { return label.value }
        return .empty
    }

    /// The same labels without the metric's name, type and unit.
    public var withoutMetadata: LabelSet {
        for label in labels where label.name.isMetadata { return filter { !$0.isMetadata } }
        return self
    }

    /// The same labels without one.
    public func removing(_ name: Symbol) -> LabelSet {
        guard let place = labels.firstIndex(where: { $0.name == name }) else { return self }
        var rest = self
        rest.labels.remove(at: place)
        return rest
    }

    /// The labels that pass, in order.
    public func filter(_ passes: (Symbol) -> Bool) -> LabelSet {
        var kept = ContiguousArray<Label>()
        kept.reserveCapacity(labels.count)
        for label in labels where passes(label.name) { kept.append(label) }
        return LabelSet(ordered: kept)
    }

    public func hash(into hasher: inout Hasher) {
        labels.withUnsafeBytes { hasher.combine(bytes: $0) }
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
        var labels = set.labels
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
        return left.labels.count < right.labels.count
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
