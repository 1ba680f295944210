/// Runs Prometheus' test scripts (promqltest): loads series, evaluates queries, compares.
public struct ScriptRunner {
    /// What became of a query.
    public struct Outcome: Sendable {
        /// Where it stands, counted from 1.
        public var line: Int
        /// The query.
        public var query: String
        /// What was not as expected, or `nil`.
        public var problem: String?
    }

    private var store = ScriptRunner.makeStore()
    private let engine: QueryEngine

    private init() {
        var options = QueryOptions()
        options.delaysNameRemoval = true
        options.usesStartTimes = true
        engine = QueryEngine(options: options)
    }

    private static func makeStore() -> SampleStore {
        var limits = StoreLimits()
        limits.retention = .seconds(100 * 365 * 86_400)
        return SampleStore(limits)
    }

    /// Runs a script.
    /// - Throws: Where it cannot be understood, or a series cannot be loaded.
    public static func run(_ text: String) throws(ScriptError) -> [Outcome] {
        var runner = ScriptRunner()
        var outcomes: [Outcome] = []
        for command in try ScriptReader.read(text) {
            switch command {
            case .clear: runner.store = makeStore()
            case .load(let line, let interval, let loaded, let makesNative):
                try runner.load(loaded, interval, line)
                if makesNative {
                    try runner.load(NativeConversion.histograms(of: loaded), interval, line)
                }
            case .evaluate(let evaluation):
                outcomes.append(
                    Outcome(
                        line: evaluation.line, query: evaluation.query,
                        problem: runner.problem(of: evaluation)))
            }
        }
        return outcomes
    }

    // MARK: Loading

    private func load(
        _ loaded: [ScriptCommand.Loaded], _ interval: Int64, _ line: Int
    ) throws(ScriptError) {
        // Of a series given twice the last counts.
        var last: [String: Int] = [:]
        for (place, series) in loaded.enumerated() { last[Self.key(series.labels)] = place }
        for (place, series) in loaded.enumerated() where last[Self.key(series.labels)] == place {
            let reference: SeriesReference
            do throws(SeriesRefusal) {
                reference = try store.reference(for: series.labels)
            } catch {
                throw ScriptError(line: series.line, message: "the series is refused: \(error)")
            }
            var former: FloatHistogram?
            for (number, item) in series.items.enumerated() {
                let time = Int64(number) &* interval
                let given = number < series.starts.count ? series.starts[number] : nil
                // 0 stands for an unknown start.
                let start = given.map { time &+ $0 } ?? 0
                let outcome: AppendOutcome
                switch item {
                case .none: continue
                case .float(let value):
                    outcome = store.append(reference, at: time, value, start: start)
                case .histogram(let written):
                    let histogram = Self.told(written.histogram, since: former)
                    former = written.histogram
                    outcome = store.append(reference, at: time, histogram, start: start)
                }
                guard outcome == .appended || outcome == .alreadyThere else {
                    throw ScriptError(
                        line: series.line, message: "a sample is refused: \(outcome)")
                }
            }
        }
    }

    /// What Prometheus' store says of resets when it is asked for a sample: of the first of a counter, and
    /// of one after a reset, nothing.
    private static func told(
        _ histogram: FloatHistogram, since former: FloatHistogram?
    ) -> FloatHistogram {
        guard histogram.counterResetHint != .gauge else { return histogram }
        var told = histogram
        told.counterResetHint = .unknown
        if let former, !histogram.detectsReset(since: former) { told.counterResetHint = .notReset }
        return told
    }

    static func key(_ labels: [(name: String, value: String)]) -> String {
        labels.map { "\(GoText.quoted($0.name))=\(GoText.quoted($0.value))" }.joined(separator: ",")
    }

    // MARK: Evaluating

    private func problem(of evaluation: Evaluation) -> String? {
        let expression: Expression
        do throws(ParseError) {
            expression = try QueryParser.parse(evaluation.query, options: .everything)
        } catch {
            return failure(error.message, evaluation)
        }
        do throws(QueryError) {
            switch evaluation.times {
            case .instant(let time):
                let result = try engine.instant(expression, at: time, over: store.view())
                if evaluation.has(.fail) { return "it should fail" }
                return messageProblem(result, evaluation)
                    ?? ScriptComparison(evaluation).problem(instant: result)
                    ?? repetitionProblem(expression, evaluation, time)
            case .range(let start, let end, let interval):
                guard
                    let steps = Steps(
                        from: start, through: end, every: interval,
                        limit: engine.options.stepLimit)
                else { return "the range has too many steps" }
                let result = try engine.range(expression, steps, over: store.view())
                if evaluation.has(.fail) { return "it should fail" }
                return messageProblem(result, evaluation)
                    ?? ScriptComparison(evaluation).problem(range: result, steps)
            }
        } catch {
            return failure(error.message, evaluation)
        }
    }

    /// Every instant query is evaluated once more as a range around its time.
    private func repetitionProblem(
        _ expression: Expression, _ evaluation: Evaluation, _ time: Int64
    ) -> String? {
        if evaluation.has(.ordered) || evaluation.matrixTimes != nil || evaluation.text != nil {
            return nil
        }
        for word in ["start()", "end()", "range()", "step()"]
        where evaluation.query.lowercased().contains(word) {
            return nil
        }
        guard
            let steps = Steps(
                from: time &- 60_000, through: time &+ 60_000, every: 60_000, limit: 10)
        else { return nil }
        do throws(QueryError) {
            let result = try engine.range(expression, steps, over: store.view())
            return ScriptComparison(evaluation).problem(middleOf: result, at: time)
                .map { "as a range: \($0)" }
        } catch {
            return "as a range: \(error.message)"
        }
    }

    private func failure(_ message: String, _ evaluation: Evaluation) -> String? {
        guard let expected = evaluation.expected.first(where: { $0.kind == .fail }) else {
            return "it fails: \(message)"
        }
        return Self.fits(message, expected.text) ? nil : "it fails otherwise: \(message)"
    }

    private static func fits(_ message: String, _ text: Evaluation.Expected.Text) -> Bool {
        switch text {
        case .any: true
        case .exactly(let wanted): message == wanted
        case .matching(let pattern):
            (try? LabelPattern(".*(?:\(pattern)).*"))?.matches(message) ?? false
        }
    }

    /// What is said beside the result must be expected, and what is expected must be said.
    private func messageProblem(_ result: QueryResult, _ evaluation: Evaluation) -> String? {
        let said: [(Evaluation.Expected.Kind, Evaluation.Expected.Kind, [String])] = [
            (.warn, .noWarn, result.annotations.warningTexts(in: evaluation.query)),
            (.info, .noInfo, result.annotations.infoTexts(in: evaluation.query)),
        ]
        for (kind, noKind, texts) in said {
            if evaluation.has(noKind), let text = texts.first { return "unexpected: \(text)" }
            let expected = evaluation.expected.filter { $0.kind == kind }
            for one in expected where !texts.contains(where: { Self.fits($0, one.text) }) {
                return "expected \(one) in \(texts)"
            }
            if expected.isEmpty { continue }
            for text in texts where !expected.contains(where: { Self.fits(text, $0.text) }) {
                return "unexpected: \(text)"
            }
        }
        return nil
    }
}
