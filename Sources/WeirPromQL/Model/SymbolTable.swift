import Synchronization

/// A label's name or value by its number in a ``SymbolTable``: equal numbers are equal texts.
public struct Symbol: Hashable, Sendable {
    /// The number.
    public var number: UInt32

    /// The symbol with this number.
    public init(number: UInt32) { self.number = number }

    /// `__name__`.
    public static let metricName = Symbol(number: 0)
    /// The empty text.
    public static let empty = Symbol(number: 1)
    /// `le`.
    public static let upperBound = Symbol(number: 2)
    /// `__type__`.
    public static let metricType = Symbol(number: 3)
    /// `__unit__`.
    public static let metricUnit = Symbol(number: 4)

    /// The labels that tell of the metric itself, and go with its name.
    static let metadata = [metricName, metricType, metricUnit]

    /// Whether a label tells of the metric itself, and goes with its name
    /// (Prometheus: schema, `IsMetadataLabel`).
    public var isMetadata: Bool {
        self == .metricName || self == .metricType || self == .metricUnit
    }

    /// The texts that every table begins with.
    static let reserved = ["__name__", "", "le", "__type__", "__unit__"]
}

/// Texts that occur in many series, each kept once.
public final class SymbolTable: Sendable {
    private struct State {
        var texts: ContiguousArray<String>
        var symbols: [String: Symbol]
    }

    private let state: Mutex<State>

    /// A table with the reserved symbols.
    public init() {
        var state = State(texts: [], symbols: [:])
        for text in Symbol.reserved {
            state.symbols[text] = Symbol(number: UInt32(state.texts.count))
            state.texts.append(text)
        }
        self.state = Mutex(state)
    }

    /// The text's symbol, which is made if there is none.
    public func symbol(for text: String) -> Symbol {
        state.withLock { state in
            if let symbol = state.symbols[text] { return symbol }
            let symbol = Symbol(number: UInt32(truncatingIfNeeded: state.texts.count))
            state.texts.append(text)
            state.symbols[text] = symbol
            return symbol
        }
    }

    /// The text's symbol, if there is one.
    public func existingSymbol(for text: String) -> Symbol? {
        state.withLock { $0.symbols[text] }
    }

    /// All texts, by their symbols' numbers. Costs no copy until the table grows.
    public func snapshot() -> ContiguousArray<String> {
        state.withLock { $0.texts }
    }
}

/// The symbols of one query: those of its source, and its own for texts that only the query makes.
///
/// Not shared between threads: a query has one.
public final class QuerySymbols {
    /// The first number of a query's own symbols.
    private static let ownBase: UInt32 = 1 << 31

    private let table: SymbolTable
    private var tableTexts: ContiguousArray<String>
    private var ownTexts: ContiguousArray<String> = []
    private var ownSymbols: [String: Symbol] = [:]

    /// The symbols of a query on a source with this table.
    public init(_ table: SymbolTable) {
        self.table = table
        tableTexts = table.snapshot()
    }

    /// A text's symbol.
    public func symbol(for text: String) -> Symbol {
        if let symbol = ownSymbols[text] { return symbol }
        if let symbol = table.existingSymbol(for: text), Int(symbol.number) < tableTexts.count {
            return symbol
        }
        let number = Self.ownBase | UInt32(truncatingIfNeeded: ownTexts.count)
        let symbol = Symbol(number: number)
        ownTexts.append(text)
        ownSymbols[text] = symbol
        return symbol
    }

    /// A symbol's text.
    public func text(of symbol: Symbol) -> String {
        if symbol.number < Self.ownBase {
            let place = Int(symbol.number)
            if place >= tableTexts.count { tableTexts = table.snapshot() }
            return place < tableTexts.count ? tableTexts[place] : ""
        }
        let place = Int(symbol.number & ~Self.ownBase)
        return place < ownTexts.count ? ownTexts[place] : ""
    }
}
