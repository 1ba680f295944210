import WeirPromQL

/// The rules of an objective and their tests.
extension ServiceLevel {
    /// The PrometheusRule.
    public var rules: String {
        var text = """
            # \(description). Made by `weir slo`.
            #
            # The longest window is of three days: an agent that evaluates this needs `history_retention 73h`.
            apiVersion: monitoring.coreos.com/v1
            kind: PrometheusRule
            metadata:
              name: slo-\(name)
              labels:
                release: kube-prometheus-stack
            spec:
              groups:
              - name: slo-\(name)
                rules:

            """
        for window in Self.windows {
            text += """
                    - record: slo:error_ratio:rate\(window)
                      expr: |
                \(Self.indented(errorRatio(window)))
                      labels:
                        slo: \(name)

                """
        }
        text += """
                - record: slo:objective:ratio
                  expr: vector(1 - \(budget))
                  labels:
                    slo: \(name)

            """
        for burn in burns { text += alert(burn) }
        return text
    }

    private var description: String {
        switch indicator {
        case .availability: "\(objective) % of the requests to \(service) succeed in \(window)"
        case .latency(let bound):
            "\(objective) % of the requests to \(service) take at most \(bound) ms in \(window)"
        }
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n").map { "        \($0)" }.joined(separator: "\n")
    }

    private func threshold(_ burn: Burn) -> String {
        "\(GoText.shortest(factor(burn))) * \(budget)"
    }

    private func alert(_ burn: Burn) -> String {
        let expression =
            "\(recorded(burn.long.text)) > \(threshold(burn))\nand \(recorded(burn.short)) > \(threshold(burn))"
        return """
                - alert: \(burn.name)
                  expr: |
            \(Self.indented(expression))
                  labels:
                    severity: \(burn.severity)
                    long_window: \(burn.long.text)
                  annotations:
                    summary: "\(summary(burn))"
                    description: "\(explanation("{{ $value | humanizePercentage }}", burn))"
                    runbook_url: "https://weir.example.org/runbooks#errorbudgetburn"

            """
    }

    private func summary(_ burn: Burn) -> String {
        "\(service) burns its error budget \(GoText.shortest(factor(burn))) times too fast"
    }

    private func explanation(_ share: String, _ burn: Burn) -> String {
        "\(share) of its requests were bad in \(burn.long.text); the objective \(name) allows "
            + "\(Humanize.percentage(Double(budget) ?? 0)) in \(window)."
    }

    // MARK: Tests

    /// promtool's unit tests: each alert once so that it fires, and once so that it does not.
    /// - Parameter path: Where the rules are, as seen from the tests.
    public func tests(of path: String) -> String {
        var text = """
            # Tests of \(path). Made by `weir slo`.
            rule_files:
            - \(path)
            evaluation_interval: 1m
            tests:

            """
        for burn in burns {
            text += test(burn, burning: 1.5, fires: true)
            text += test(burn, burning: 0.5, fires: false)
        }
        return text
    }

    /// Requests a minute in tests: so many that each share of them is of whole requests.
    private static let requestCount = 1_000_000_000

    private func test(_ burn: Burn, burning share: Double, fires: Bool) -> String {
        let wanted = share * factor(burn) * (Double(budget) ?? 0)
        let bad = min(Int(wanted * Double(Self.requestCount)), Self.requestCount)
        let good = Self.requestCount - bad
        var text = """
            - name: \(burn.name) \(fires ? "fires" : "keeps silent") when \(GoText.shortest(share)) of its limit burns
              interval: 1m
              input_series:
            \(series(good: good, bad: bad))
              alert_rule_test:
              - eval_time: 20m
                alertname: \(burn.name)

            """
        guard fires else { return text + "    exp_alerts: []\n" }
        let ratio = Double(bad) / Double(Self.requestCount)
        text += """
                exp_alerts:
                - exp_labels:
                    severity: \(burn.severity)
                    long_window: \(burn.long.text)
                    slo: \(name)
                  exp_annotations:
                    summary: "\(summary(burn))"
                    description: "\(explanation(Humanize.percentage(ratio), burn))"
                    runbook_url: "https://weir.example.org/runbooks#errorbudgetburn"

            """
        return text
    }

    private func series(good: Int, bad: Int) -> String {
        var labels = #"reporter="source", destination_service_name="\#(service)""#
        if let namespace { labels += #", destination_service_namespace="\#(namespace)""# }
        func line(_ name: String, _ more: String, _ count: Int) -> String {
            "  - series: '\(name){\(labels)\(more)}'\n    values: '0+\(count)x30'"
        }
        switch indicator {
        case .availability:
            return line("istio_requests_total", #", response_code="200""#, good) + "\n"
                + line("istio_requests_total", #", response_code="503""#, bad)
        case .latency(let bound):
            let name = "istio_request_duration_milliseconds"
            return line("\(name)_bucket", #", le="\#(bound)""#, good) + "\n"
                + line("\(name)_bucket", #", le="+Inf""#, good + bad) + "\n"
                + line("\(name)_count", "", good + bad)
        }
    }
}
