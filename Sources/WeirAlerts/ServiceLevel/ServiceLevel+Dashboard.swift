import WeirCore
import WeirPromQL

/// The dashboard of an objective.
extension ServiceLevel {
    /// A dashboard of Grafana's (classic, schema version 39): how it stands, what is left, how fast it burns.
    public var dashboard: String {
        let left =
            "1 - sum_over_time(slo:error_ratio:rate5m{slo=\"\(name)\"}[\(window)]) "
            + "/ count_over_time(slo:error_ratio:rate5m{slo=\"\(name)\"}[\(window)]) / \(budget)"
        let panels = [
            panel(
                1, "stat", "Good requests, last 3 days", unit: "percentunit", x: 0, y: 0, width: 8,
                height: 6, [("1 - \(recorded("3d"))", "good")]),
            panel(
                2, "stat", "Error budget left, of \(window)", unit: "percentunit", x: 8, y: 0,
                width: 8, height: 6, [(left, "left")]),
            panel(
                3, "stat", "Burn rate, last hour", unit: "none", x: 16, y: 0, width: 8, height: 6,
                [("\(recorded("1h")) / \(budget)", "times too fast")]),
            panel(
                4, "timeseries", "Burn rates: 1 uses the budget up in \(window)", unit: "none",
                x: 0, y: 6, width: 24, height: 10,
                ["5m", "1h", "6h", "3d"].map { ("\(recorded($0)) / \(budget)", $0) }),
            panel(
                5, "timeseries", "Bad requests", unit: "percentunit", x: 0, y: 16, width: 24,
                height: 8, [(recorded("5m"), "bad"), ("vector(\(budget))", "allowed")]),
        ]
        var hash = FNV1a()
        hash.add(name)
        let source: Value = .object([
            "name": .string("datasource"), "label": .string("Data source"),
            "type": .string("datasource"), "query": .string("prometheus"),
            "current": .object(Record()), "hide": .integer(0), "refresh": .integer(1),
        ])
        return JSONValueWriter.text(
            .object([
                "uid": .string("weir-slo-\(hash.text)"),
                "title": .string("Objective: \(name), \(objective) %"),
                "tags": .array([.string("weir"), .string("slo")]),
                "schemaVersion": .integer(39), "version": .integer(1), "editable": .bool(true),
                "timezone": .string("browser"), "refresh": .string("1m"),
                "time": .object(["from": .string("now-24h"), "to": .string("now")]),
                "templating": .object(["list": .array([source])]),
                "annotations": .object(["list": .array([])]), "panels": .array(panels),
            ])) + "\n"
    }

    private func panel(
        _ id: Int64, _ type: String, _ title: String, unit: String, x: Int64, y: Int64,
        width: Int64, height: Int64, _ queries: [(expression: String, legend: String)]
    ) -> Value {
        let source: Value = .object([
            "type": .string("prometheus"), "uid": .string("${datasource}"),
        ])
        let letters = Array("ABCDEFGH")
        let targets = queries.enumerated().map { place, query -> Value in
            .object([
                "refId": .string(String(letters[place % letters.count])), "datasource": source,
                "expr": .string(query.expression), "legendFormat": .string(query.legend),
                "range": .bool(type != "stat"), "instant": .bool(type == "stat"),
            ])
        }
        return .object([
            "id": .integer(id), "type": .string(type), "title": .string(title),
            "datasource": source,
            "gridPos": .object([
                "x": .integer(x), "y": .integer(y), "w": .integer(width), "h": .integer(height),
            ]),
            "fieldConfig": .object([
                "defaults": .object(["unit": .string(unit)]), "overrides": .array([]),
            ]),
            "options": .object(Record()), "targets": .array(targets),
        ])
    }
}
