import Glibc

/// The arithmetic of PromQL on plain numbers, as Go's `math` has it.
enum Arithmetic {
    /// `%`: the remainder with the dividend's sign.
    static func remainder(_ left: Double, _ right: Double) -> Double { fmod(left, right) }
    /// `^`.
    static func power(_ left: Double, _ right: Double) -> Double { pow(left, right) }
    /// `atan2`.
    static func arcTangent(_ left: Double, _ right: Double) -> Double { atan2(left, right) }

    /// Adds a number to a sum whose rounding errors are kept apart (Neumaier's variant of Kahan's
    /// summation; Prometheus: util/kahansum).
    @inline(__always)
    static func add(_ value: Double, to sum: inout Double, error: inout Double) {
        let total = sum + value
        if total.isInfinite {
            error = 0
        } else if abs(sum) >= abs(value) {
            error += (sum - total) + value
        } else {
            error += (value - total) + sum
        }
        sum = total
    }

    /// Go's `math.Max`, which lets NaN win except against +Inf.
    static func maximum(_ left: Double, _ right: Double) -> Double {
        if left == .infinity || right == .infinity { return .infinity }
        if left.isNaN || right.isNaN { return .nan }
        if left == 0, left == right { return left.sign == .minus ? right : left }
        return left > right ? left : right
    }

    /// Go's `math.Min`, which lets NaN win except against -Inf.
    static func minimum(_ left: Double, _ right: Double) -> Double {
        if left == -.infinity || right == -.infinity { return -.infinity }
        if left.isNaN || right.isNaN { return .nan }
        if left == 0, left == right { return left.sign == .minus ? left : right }
        return left < right ? left : right
    }

    /// The φ-quantile of some values, which are put into order (Prometheus: promql/quantile.go, `quantile`).
    static func quantile(_ fraction: Double, _ values: inout ContiguousArray<Double>) -> Double {
        if values.isEmpty || fraction.isNaN { return .nan }
        if fraction < 0 { return -.infinity }
        if fraction > 1 { return .infinity }
        // NaN sorts before every number.
        values.sort { left, right in left.isNaN ? !right.isNaN : left < right }
        let rank = fraction * Double(values.count - 1)
        let lower = max(0, Int(rank.rounded(.down)))
        let upper = min(values.count - 1, lower + 1)
        let weight = rank - rank.rounded(.down)
        return values[lower] * (1 - weight) + values[upper] * weight
    }
}

extension BinaryOperator {
    /// The operator on two scalars; comparisons answer 0 or 1.
    func scalar(_ left: Double, _ right: Double) -> Double {
        switch self {
        case .add: left + right
        case .subtract: left - right
        case .multiply: left * right
        case .divide: left / right
        case .modulo: Arithmetic.remainder(left, right)
        case .power: Arithmetic.power(left, right)
        case .arcTangent: Arithmetic.arcTangent(left, right)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
            compares(left, right) ? 1 : 0
        case .trimUpper, .trimLower, .and, .or, .unless: .nan
        }
    }

    /// The comparison; `false` for what compares nothing.
    func compares(_ left: Double, _ right: Double) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        default: false
        }
    }
}
