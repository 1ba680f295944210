/// All functions of the language by their names.
public enum FunctionCatalogue {
    static let all: [String: PromQLFunction] = {
        var all: [String: PromQLFunction] = [:]
        for family in [
            RateFunctions.all, OverTimeFunctions.all, TrendFunctions.all, ChangeFunctions.all,
            MathFunctions.all, DateFunctions.all, LabelFunctions.all, VectorFunctions.all,
            HistogramFunctions.all, InfoFunction.all,
        ] {
            for function in family { all[function.signature.name] = function }
        }
        return all
    }()

    /// What the parser must know of a function.
    public static func signature(named name: String) -> FunctionSignature? { all[name]?.signature }

    /// The names of all functions, in order.
    public static var names: [String] { all.keys.sorted() }
}
