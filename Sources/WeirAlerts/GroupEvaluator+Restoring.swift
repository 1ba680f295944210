import WeirCore
import WeirPromQL

/// What alerts need to go on where a former process left them.
extension GroupEvaluator {
    /// The frame that alerts are written down in.
    private static let frame = ChecksummedFrame(magic: "WAS1", payloadByteLimit: 1 << 30)
    /// The longest time that an alert goes on without its expression after samples were lost.
    private static let graceLimit: Int64 = 15 * 60 * 1_000

    // MARK: Writing down

    /// Whether there is anything to be written down.
    public var hasAlerts: Bool { alerts.contains { !$0.isEmpty } }

    /// Whether any alert waits for its time: how much of it is over must be known to the evaluation.
    public var hasPendingAlerts: Bool {
        alerts.contains { $0.values.contains { $0.state == .pending } }
    }

    func noteChange(from former: [LabelKey: Alert], to new: [LabelKey: Alert]) {
        hasChanged =
            hasChanged || former.count != new.count
            || new.contains { key, alert in
                guard let old = former[key] else { return true }
                return old.state != alert.state || old.activeAt != alert.activeAt
                    || old.keptFiringSince != alert.keptFiringSince
            }
    }

    /// All alerts as they are after an evaluation, for ``restore(_:)`` of another process.
    public func savedAlerts(at time: Int64) -> [UInt8] {
        hasChanged = false
        var payload = ByteBuffer(capacity: 4_096)
        payload.append(text: group.file)
        payload.append(text: group.name)
        payload.append(word: UInt64(bitPattern: time))
        for (place, rule) in group.rules.enumerated() {
            for alert in alerts[place].values {
                payload.append(byte: 1)
                payload.append(text: rule.name)
                payload.append(text: rule.query)
                Self.append(alert, to: &payload)
            }
        }
        payload.append(byte: 0)
        var bytes = ByteBuffer(capacity: payload.count + ChecksummedFrame.headByteCount)
        Self.frame.append(payload.bytes, to: &bytes)
        return Array(bytes.bytes)
    }

    private static func append(_ alert: Alert, to payload: inout ByteBuffer) {
        payload.append(pairs: alert.labels)
        payload.append(pairs: alert.annotations)
        payload.append(word: alert.value.bitPattern)
        payload.append(text: alert.state.rawValue)
        payload.append(word: UInt64(bitPattern: alert.activeAt))
        for time in [alert.firedAt, alert.keptFiringSince, alert.resolvedAt] {
            payload.append(word: UInt64(bitPattern: time ?? .min))
        }
    }

    // MARK: Restoring

    /// Takes over the alerts that a former process wrote down, before the first evaluation; those of rules
    /// that are otherwise now, or whose bytes are damaged, begin anew.
    /// - Returns: Whether the bytes could be understood.
    public func restore(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let payload = Self.frame.payload(of: bytes, at: 0) else { return false }
        do throws(ByteCursor.Broken) {
            var cursor = ByteCursor(payload)
            guard try cursor.text() == group.file, try cursor.text() == group.name else {
                return true
            }
            let time = Int64(bitPattern: try cursor.word())
            var restored = alerts
            while try cursor.byte() == 1 {
                let name = try cursor.text()
                let query = try cursor.text()
                let alert = try Self.alert(&cursor)
                let place = group.rules.firstIndex {
                    !$0.isRecord && $0.name == name && $0.query == query
                }
                if let place { restored[place][LabelKey(alert.labels)] = alert }
            }
            guard cursor.isAtEnd else { return false }
            alerts = restored
            formerTime = time
            return true
        } catch {
            return false
        }
    }

    private static func alert(_ cursor: inout ByteCursor) throws(ByteCursor.Broken) -> Alert {
        let labels = try cursor.pairs()
        let annotations = try cursor.pairs()
        let value = Double(bitPattern: try cursor.word())
        guard let state = Alert.State(rawValue: try cursor.text()) else {
            throw ByteCursor.Broken()
        }
        var alert = Alert(
            labels: labels, annotations: annotations, value: value,
            activeAt: Int64(bitPattern: try cursor.word()))
        alert.state = state
        alert.firedAt = try time(&cursor)
        alert.keptFiringSince = try time(&cursor)
        alert.resolvedAt = try time(&cursor)
        return alert
    }

    private static func time(_ cursor: inout ByteCursor) throws(ByteCursor.Broken) -> Int64? {
        let time = Int64(bitPattern: try cursor.word())
        return time == .min ? nil : time
    }

    // MARK: Going on

    /// Makes the alerts of a former process those of the first evaluation.
    ///
    /// The time in which nobody looked does not count for those that wait. Where samples were lost with the
    /// process, an alert is not over before its expression has had its time to see new ones.
    func takeUp(at time: Int64) {
        guard let formerTime else { return }
        for (place, rule) in group.rules.enumerated() {
            for (key, alert) in alerts[place] {
                guard alert.state != .inactive else { continue }
                if alert.state == .pending {
                    alerts[place][key]?.activeAt = alert.activeAt &+ max(time &- formerTime, 0)
                }
                if (lastSample(of: alert, rule, at: time)?.time ?? .min) < formerTime {
                    let grace = min(rule.expression.longestRange, Self.graceLimit)
                    alerts[place][key]?.graceUntil = time &+ grace
                }
            }
        }
        hasChanged = true
    }

    /// Tells of all alerts again after the next evaluation, as to somebody who knows of none.
    public func tellAgain() {
        for place in alerts.indices {
            for key in alerts[place].keys { alerts[place][key]?.lastSentAt = nil }
        }
    }

    /// An alert as the history has it, where a former process wrote nothing else down: its time goes on where
    /// that ended, and has not begun anew.
    func restored(_ alert: Alert, _ rule: Rule, at time: Int64) -> Alert {
        guard let (last, value) = lastSample(of: alert, rule, at: time), value.magnitude < 9e15
        else { return alert }
        var restored = alert
        let activeAt = Int64(value * 1_000)
        // The time in which nobody looked does not count, unless it had fired already.
        let wasFiring = last &- activeAt >= rule.holdDuration
        restored.activeAt = wasFiring ? activeAt : activeAt &+ (time &- last)
        return restored
    }

    /// The last sample of an alert's `ALERTS_FOR_STATE`, if it had not ended.
    private func lastSample(
        of alert: Alert, _ rule: Rule, at time: Int64
    ) -> (time: Int64, value: Double)? {
        guard let labels = alertSeries(of: alert, rule).last?.labels else { return nil }
        var matchers: [CompiledMatcher] = []
        for (name, value) in labels {
            let matcher = LabelMatcher(name: name, operation: .equal, value: value)
            guard let ready = try? CompiledMatcher(matcher) else { return nil }
            matchers.append(ready)
        }
        let first = time &- Self.outageTolerance
        let view = store.view()
        for series in view.select(matchers, from: first, through: time)
        where series.labels.count == labels.count {
            var buffer = SampleBuffer()
            series.read(from: first, through: time, into: &buffer)
            guard let value = buffer.floats.last, let last = buffer.floatTimes.last,
                !SampleMark.isStale(value)
            else { continue }
            return (last, value)
        }
        return nil
    }
}

extension Expression {
    /// The longest range of samples that it looks at, in milliseconds, as far as it is written in numbers.
    public var longestRange: Int64 {
        switch kind {
        case .number, .string, .vectorSelector: return 0
        case .parenthesis(let inner), .unary(_, let inner), .stepInvariant(let inner):
            return inner.longestRange
        case .binary(let binary): return max(binary.left.longestRange, binary.right.longestRange)
        case .aggregation(let aggregation): return aggregation.expression.longestRange
        case .call(let call): return call.arguments.map(\.longestRange).max() ?? 0
        case .matrixSelector(let matrix): return matrix.window.longest
        case .subquery(let subquery):
            let (sum, overflow) = subquery.window.longest.addingReportingOverflow(
                subquery.expression.longestRange)
            return overflow ? .max : sum
        }
    }
}

extension DurationText {
    fileprivate var longest: Int64 {
        guard case .literal(let number) = expression, number.value.magnitude < 9e12 else {
            return 0
        }
        return Int64(number.value * 1_000)
    }
}
