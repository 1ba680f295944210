/// What the parser must know of a function.
public struct FunctionSignature: Hashable, Sendable {
    /// How often the last parameters may be given.
    public enum Arity: Hashable, Sendable {
        /// Each parameter once.
        case exact
        /// The last so many may be left out.
        case optional(Int)
        /// The last at most so many times, and not at all as well.
        case repeated(Int)
    }

    /// Its name.
    public var name: String
    /// The types of its parameters.
    public var parameters: [ValueType]
    /// Which of them may be left out or given more than once.
    public var arity: Arity
    /// The type of its value.
    public var result: ValueType
    /// Whether it stands behind the feature `promql-experimental-functions`.
    public var isExperimental: Bool

    /// A signature.
    public init(
        _ name: String, _ parameters: [ValueType], arity: Arity = .exact,
        returns result: ValueType = .instantVector, isExperimental: Bool = false
    ) {
        self.name = name
        self.parameters = parameters
        self.arity = arity
        self.result = result
        self.isExperimental = isExperimental
    }
}
