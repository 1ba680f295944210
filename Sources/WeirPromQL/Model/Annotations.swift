/// What a query has to say beside its result, each text once.
public struct Annotations: Sendable {
    /// Most remarks of a kind that are kept: the labels that they name come from outside.
    public static let limit = 1_000

    /// One remark: its text, and the place in the query that it is about.
    public struct Remark: Hashable, Sendable {
        /// The text without its prefix.
        public var text: String
        /// The place, where it is known.
        public var range: TextRange?
    }

    /// Things that are most likely wrong (`PromQL warning: …`).
    public private(set) var warnings: [Remark] = []
    /// Things worth knowing (`PromQL info: …`).
    public private(set) var infos: [Remark] = []
    private var known: Set<Remark> = []
    /// What is added to infos of mended buckets.
    private var mendings: [Remark: MonotonicityMending] = [:]

    /// Nothing to say.
    public init() {}

    /// Adds a warning unless it is there.
    public mutating func warn(_ text: String, at range: TextRange? = nil) {
        let remark = Remark(text: text, range: range)
        guard warnings.count < Self.limit, known.insert(remark).inserted else { return }
        warnings.append(remark)
    }

    /// Adds an info unless it is there.
    public mutating func inform(_ text: String, at range: TextRange? = nil) {
        let remark = Remark(text: text, range: range)
        guard infos.count < Self.limit, known.insert(remark).inserted else { return }
        infos.append(remark)
    }

    /// Adds an info of mended buckets; those of the same text and place become one.
    public mutating func inform(
        _ text: String, of mending: MonotonicityMending, at range: TextRange? = nil
    ) {
        inform(text, at: range)
        let remark = Remark(text: text, range: range)
        guard known.contains(remark) else { return }
        if mendings[remark]?.merge(mending) == nil { mendings[remark] = mending }
    }

    /// The warnings with their prefix and their places in the query as `(line:column)`.
    public func warningTexts(in query: String) -> [String] {
        warnings.map { "PromQL warning: " + text($0, in: query) }
    }

    /// The infos likewise.
    public func infoTexts(in query: String) -> [String] {
        infos.map { "PromQL info: " + text($0, in: query) }
    }

    private func text(_ remark: Remark, in query: String) -> String {
        let text = mendings[remark].map { "\(remark.text), \($0.text)" } ?? remark.text
        guard let range = remark.range else { return text }
        let (line, column) = TextRange.position(of: range.start, in: query)
        return "\(text) (\(line):\(column))"
    }
}
