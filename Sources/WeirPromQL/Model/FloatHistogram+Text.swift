extension FloatHistogram {
    /// The histogram as Prometheus prints it: `{count:4, sum:5, [-1,1]:1, (1,2]:3}`.
    public var text: String {
        var text = "{count:\(GoText.shortest(count)), sum:\(GoText.shortest(sum))"
        for bucket in buckets {
            let open = bucket.includesLower ? "[" : "("
            let close = bucket.includesUpper ? "]" : ")"
            text +=
                ", \(open)\(GoText.shortest(bucket.lower)),\(GoText.shortest(bucket.upper))\(close):"
            text += GoText.shortest(bucket.count)
        }
        return text + "}"
    }
}
