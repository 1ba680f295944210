extension FloatHistogram {
    /// The histogram as Prometheus prints it: `{count:4, sum:5, [-1,1]:1, (1,2]:3}`.
    public var text: String {
        var text = "{count:\(GoText.shortest(count)), sum:\(GoText.shortest(sum))"
        for bucket in schemaBuckets {
            let open = bucket.includesLower ? "[" : "("
            let close = bucket.includesUpper ? "]" : ")"
            text += ", \(open)\(GoText.shortest(bucket.lower)),\(GoText.shortest(bucket.upper))"
            text += "\(close):\(GoText.shortest(bucket.count))"
        }
        return text + "}"
    }

    /// The histogram as test scripts write it: `{{schema:1 count:4 sum:5 buckets:[1 2 1]}}`.
    ///
    /// The notation lists buckets without a gap.
    /// - Returns: `nil` where buckets lie so far apart that a list would be longer than `bucketLimit`.
    public var notation: String? {
        var parts: [String] = []
        func add(_ key: String, _ number: Double) {
            if number != 0 { parts.append("\(key):\(GoText.shortest(number))") }
        }
        if schema != 0 { parts.append("schema:\(schema)") }
        add("count", count)
        add("sum", sum)
        add("z_bucket", zeroCount)
        add("z_bucket_w", zeroThreshold)
        if usesCustomBounds { parts.append("custom_values:\(Self.list(customBounds))") }
        if counterResetHint != .unknown {
            parts.append("counter_reset_hint:\(counterResetHint.rawValue)")
        }
        for (side, key, offsetKey) in [
            (positive, "buckets", "offset"), (negative, "n_buckets", "n_offset"),
        ] {
            guard let first = side.first?.index, let last = side.last?.index else { continue }
            guard last - first < Self.bucketLimit else { return nil }
            var counts = [Double](repeating: 0, count: last - first + 1)
            for bucket in side { counts[bucket.index - first] = bucket.count }
            if first != 0 { parts.append("\(offsetKey):\(first)") }
            parts.append("\(key):\(Self.list(counts))")
        }
        return "{{" + parts.joined(separator: " ") + "}}"
    }

    private static func list(_ numbers: [Double]) -> String {
        "[" + numbers.map(GoText.shortest).joined(separator: " ") + "]"
    }
}
