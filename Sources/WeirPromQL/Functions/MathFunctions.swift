import Glibc

/// The functions of one number.
enum MathFunctions {
    static let all: [PromQLFunction] = [
        .map("abs") { abs($0) },
        .map("ceil") { $0.rounded(.up) },
        .map("floor") { $0.rounded(.down) },
        .map("exp") { exp($0) },
        .map("sqrt") { $0.squareRoot() },
        .map("ln") { log($0) },
        .map("log2") { log2($0) },
        .map("log10") { log10($0) },
        .map("sin") { sin($0) },
        .map("cos") { cos($0) },
        .map("tan") { tan($0) },
        .map("asin") { asin($0) },
        .map("acos") { acos($0) },
        .map("atan") { atan($0) },
        .map("sinh") { sinh($0) },
        .map("cosh") { cosh($0) },
        .map("tanh") { tanh($0) },
        .map("asinh") { asinh($0) },
        .map("acosh") { acosh($0) },
        .map("atanh") { atanh($0) },
        .map("rad") { $0 * .pi / 180 },
        .map("deg") { $0 * 180 / .pi },
        .map("sgn") { $0 < 0 ? -1 : $0 > 0 ? 1 : $0 },
        PromQLFunction(
            FunctionSignature("round", [.instantVector, .scalar], arity: .optional(1)),
            .map { value, parameters in
                // The inverse is more exact than dividing by the step itself.
                let inverse = 1 / (parameters.first ?? 1)
                return (value * inverse + 0.5).rounded(.down) / inverse
            }),
        clamping("clamp", [.instantVector, .scalar, .scalar]) { ($0[0], $0[1]) },
        clamping("clamp_min", [.instantVector, .scalar]) { ($0[0], .infinity) },
        clamping("clamp_max", [.instantVector, .scalar]) { (-.infinity, $0[0]) },
        PromQLFunction(
            FunctionSignature("pi", [], returns: .scalar), .time { _, _ in .pi }),
        PromQLFunction(
            FunctionSignature("time", [], returns: .scalar),
            .time { _, stepTime in Double(stepTime) / 1_000 }),
        PromQLFunction(
            FunctionSignature("start", [], returns: .scalar, isExperimental: true),
            .time { query, _ in Double(query.start) / 1_000 }),
        PromQLFunction(
            FunctionSignature("end", [], returns: .scalar, isExperimental: true),
            .time { query, _ in Double(query.end) / 1_000 }),
        PromQLFunction(
            FunctionSignature("step", [], returns: .scalar, isExperimental: true),
            .time { query, _ in Double(query.interval) / 1_000 }),
        PromQLFunction(
            FunctionSignature("range", [], returns: .scalar, isExperimental: true),
            .time { query, _ in Double(query.end &- query.start) / 1_000 }),
    ]

    private static func clamping(
        _ name: String, _ parameters: [ValueType],
        bounds: @escaping @Sendable (ContiguousArray<Double>) -> (Double, Double)
    ) -> PromQLFunction {
        PromQLFunction(
            FunctionSignature(name, parameters),
            .map { value, parameters in
                let (lower, upper) = bounds(parameters)
                if upper < lower { return SeriesRow.absent }
                return Arithmetic.maximum(lower, Arithmetic.minimum(upper, value))
            })
    }
}
