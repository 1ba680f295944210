/// Time spans as Prometheus' files write them: `1h30m`, `0`.
public enum DurationNotation {
    private static let units: [(String, Int64)] = [
        ("y", 365 * 86_400_000), ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000),
        ("m", 60_000), ("s", 1_000), ("ms", 1),
    ]

    /// A span in milliseconds, or `nil` where it is none.
    public static func milliseconds(_ text: Substring) -> Int64? {
        if text == "0" { return 0 }
        var rest = text[...]
        var total: Int64 = 0
        var allowed = units[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest[digits.endIndex...]
            let name = rest.prefix { $0.isLetter }
            rest = rest[name.endIndex...]
            guard let count = Int64(digits),
                let place = allowed.firstIndex(where: { $0.0 == name })
            else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: allowed[place].1)
            let (sum, sumOverflow) = total.addingReportingOverflow(product)
            guard !overflow, !sumOverflow else { return nil }
            total = sum
            allowed = allowed[(place + 1)...]
        }
        return total
    }
}
