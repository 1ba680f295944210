/// A function of PromQL: what the parser must know of it, and how it is computed.
///
/// A new function is a declaration in the file of its family, and a line in ``FunctionCatalogue``.
struct PromQLFunction: Sendable {
    /// How a function is computed.
    enum Body: Sendable {
        /// Of the samples in a window; the metric's name goes unless it is kept.
        case window(WindowKernel, keepsName: Bool)
        /// Of each float by itself, and of the scalar arguments at its step. Histograms fall away.
        case map(@Sendable (Double, ContiguousArray<Double>) -> Double)
        /// Of each histogram by itself. Floats fall away.
        case ofHistogram(@Sendable (FloatHistogram) -> Double)
        /// Of all series of its arguments, in its own way.
        case rows(
            @Sendable (Evaluator, Invocation, Evaluator.RowConsumer) throws(QueryError) -> Void)
        /// Of the query and the step's time alone: a scalar.
        case time(@Sendable (_ query: Steps, _ stepTime: Int64) -> Double)
    }

    /// One call of a function.
    struct Invocation {
        /// The call as it was written.
        var call: FunctionCall
        /// Where it stands.
        var range: TextRange
        /// The times it is evaluated at.
        var steps: Steps

        /// An argument that is a text.
        func text(_ place: Int) -> String {
            guard place < call.arguments.count else { return "" }
            if case .string(let text) = call.arguments[place].stripped.kind { return text }
            return ""
        }
    }

    /// What the parser must know.
    var signature: FunctionSignature
    /// How it is computed.
    var body: Body

    init(_ signature: FunctionSignature, _ body: Body) {
        self.signature = signature
        self.body = body
    }

    /// A function of a window that drops the metric's name.
    static func window(
        _ name: String, _ parameters: [ValueType] = [.rangeVector], isExperimental: Bool = false,
        keepsName: Bool = false, _ kernel: @escaping WindowKernel
    ) -> PromQLFunction {
        PromQLFunction(
            FunctionSignature(name, parameters, isExperimental: isExperimental),
            .window(kernel, keepsName: keepsName))
    }

    /// A function of each float by itself.
    static func map(
        _ name: String, _ function: @escaping @Sendable (Double) -> Double
    ) -> PromQLFunction {
        PromQLFunction(
            FunctionSignature(name, [.instantVector]), .map { value, _ in function(value) })
    }
}
