import WeirCore

/// Answers of Prometheus' query API, compared.
public enum QueryAnswers {
    /// How an answer differs from the one that is wanted; `nil` where it does not.
    ///
    /// Numbers are equal within 1e-9 of themselves.
    public static func difference(_ wanted: Record?, _ found: Record?) -> String? {
        guard let wanted, let found else { return "no answer" }
        if wanted["status"] != found["status"] {
            // Since 3.6 Prometheus refuses these also where a filter leaves one of them.
            let message = found["error"]?.string ?? ""
            if message.hasPrefix("multiple matches for labels: many-to-one") { return nil }
            return
                "\(JSONValueWriter.text(.object(found)).prefix(300))\n  for \(JSONValueWriter.text(.object(wanted)).prefix(300))"
        }
        if wanted["status"] == .string("error") { return nil }
        let (mine, theirs) = (found["data"]?.object, wanted["data"]?.object)
        guard mine?["resultType"] == theirs?["resultType"] else { return "another type" }
        let left = series(mine?["result"])
        let right = series(theirs?["result"])
        guard Set(left.keys) == Set(right.keys) else {
            return "series \(left.keys.sorted())\n  for \(right.keys.sorted())"
        }
        for (name, points) in right {
            let others = left[name] ?? []
            guard points.count == others.count else {
                return "\(name): \(others.count) points for \(points.count)"
            }
            for (one, other) in zip(others, points)
            where one.time != other.time || !isClose(one.value, other.value) {
                return "\(name): \(one) for \(other)"
            }
        }
        return nil
    }

    private static func isClose(_ left: Double, _ right: Double) -> Bool {
        if left == right || left.isNaN && right.isNaN { return true }
        let difference = abs(left - right)
        // Sums of opposite signs leave rounding errors of the summands' size.
        return difference / max(abs(left), abs(right)) < 1e-9 || difference < 1e-9
    }

    /// Points by the labels of their series; a scalar is one without labels.
    private static func series(_ result: Value?) -> [String: [(time: Double, value: Double)]] {
        guard case .array(let all)? = result else { return [:] }
        if case .object? = all.first {
        } else if all.count == 2 {
            return ["": [point(.array(all))].compactMap(\.self)]
        }
        var series: [String: [(time: Double, value: Double)]] = [:]
        for case .object(let one) in all {
            let labels = (one["metric"]?.object?.fields ?? []).map {
                "\($0.key)=\($0.value.string ?? "")"
            }
            let name = labels.sorted().joined(separator: ",")
            let points = one["values"]?.array ?? [one["value"] ?? .null]
            series[name] = points.compactMap(point)
        }
        return series
    }

    private static func point(_ value: Value) -> (time: Double, value: Double)? {
        guard case .array(let parts) = value, parts.count == 2, let text = parts[1].string,
            let number = Double(text.replacing("Inf", with: "infinity"))
        else { return nil }
        switch parts[0] {
        case .integer(let time): return (Double(time), number)
        case .float(let time): return (time, number)
        default: return nil
        }
    }
}
