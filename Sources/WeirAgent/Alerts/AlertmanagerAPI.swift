import WeirAlerts
import WeirCore
import WeirHost
import WeirPipeline
import WeirPlugins

/// `/api/v2/…`: what Alertmanager's API has of alerts and silences, so that `amtool` and dashboards that know it
/// work with an agent.
struct AlertmanagerAPI: Sendable {
    private static let prefix = "/api/v2/"

    private let rules: RuleEvaluation
    private let clock: any PipelineClock
    private let startedAt: Timestamp

    /// - Parameter clock: Its time now counts as that of the start.
    init(rules: RuleEvaluation, clock: any PipelineClock) {
        self.rules = rules
        self.clock = clock
        startedAt = clock.now
    }

    private var now: Int64 { clock.now.millisecondsSince1970 }

    /// The answer to a request; `nil` when it is not of this API.
    func answer(_ request: HTTPServer.Request) -> HTTPServer.Response? {
        guard request.path.hasPrefix(Self.prefix) else { return nil }
        let path = request.path.dropFirst(Self.prefix.count)
        let parameters = QueryParameters(request)
        switch (request.method, path) {
        case ("GET", "status"): return Self.json(status)
        case ("GET", "receivers"):
            return Self.json(.array(rules.receivers.map { .object(["name": .string($0)]) }))
        case ("GET", "alerts"): return filtered(parameters) { alerts(parameters, $0) }
        case ("GET", "silences"): return filtered(parameters, silences)
        case ("POST", "silences"): return set(request.body)
        case ("POST", "alerts"):
            return Self.refusal(405, "an agent takes no alerts of others; they come of its rules")
        default: break
        }
        guard path.hasPrefix("silence/") else { return Self.refusal(404, "there is no such path") }
        let id = FormText.decoded(path.dropFirst("silence/".count))
        switch request.method {
        case "GET":
            guard let silence = rules.mutes.withSilences({ $0[id] }) else {
                return HTTPServer.Response(status: 404, contentType: "application/json", body: "")
            }
            return Self.json(SilenceJSON.value(of: silence, at: now))
        case "DELETE": return expire(id)
        default: return Self.refusal(405, "send GET or DELETE")
        }
    }

    private static func json(_ value: Value) -> HTTPServer.Response {
        HTTPServer.Response(
            status: 200, contentType: "application/json", body: JSONValueWriter.text(value) + "\n")
    }

    private static func refusal(_ status: Int, _ message: String) -> HTTPServer.Response {
        HTTPServer.Response(
            status: status, contentType: "application/json",
            body: JSONValueWriter.text(.string(message)) + "\n")
    }

    /// Reads the matchers of `filter`, of which there may be several.
    private func filtered(
        _ parameters: QueryParameters, _ body: ([AlertMatcher]) -> Value
    ) -> HTTPServer.Response {
        do throws(AlertMatcherError) {
            var matchers: [AlertMatcher] = []
            for text in parameters.all("filter") { matchers += try AlertMatcher.parse(text) }
            return Self.json(body(matchers))
        } catch {
            return Self.refusal(400, "bad matcher format: \(error.message)")
        }
    }

    // MARK: Alerts

    private func alerts(_ parameters: QueryParameters, _ matchers: [AlertMatcher]) -> Value {
        func isWanted(_ name: String) -> Bool { parameters[name] != "false" }
        let now = now
        let receivers = rules.receivers
        let values = rules.firingNotices.filter { notice in
            matchers.allSatisfy { $0.matches(notice) }
        }.sorted { $0.fingerprintText < $1.fingerprintText }.compactMap { notice -> Value? in
            let (silences, alerts) = rules.mutes.reasons(for: notice, at: now)
            if silences.isEmpty, alerts.isEmpty, !isWanted("active") { return nil }
            if !silences.isEmpty, !isWanted("silenced") { return nil }
            if !alerts.isEmpty, !isWanted("inhibited") { return nil }
            return AlertJSON.value(
                of: notice, receivers: receivers, silencedBy: silences, inhibitedBy: alerts,
                updatedAt: now)
        }
        return .array(values)
    }

    // MARK: Silences

    private func silences(_ matchers: [AlertMatcher]) -> Value {
        let now = now
        // As Alertmanager has it: a silence passes when it has such matchers.
        let all = rules.mutes.withSilences { $0.all }.filter { silence in
            matchers.allSatisfy { wanted in
                silence.matchers.contains { $0.description == wanted.description }
            }
        }
        let order: [Silence.State] = [.active, .pending, .expired]
        return .array(
            order.flatMap { state in
                all.filter { $0.state(at: now) == state }.map {
                    SilenceJSON.value(of: $0, at: now)
                }
            })
    }

    private func set(_ body: [UInt8]) -> HTTPServer.Response {
        let wanted: Silence
        do throws(SilenceJSON.Refusal) {
            wanted = try SilenceJSON.silence(
                body.withUnsafeBytes { JSONValueReader.value(of: $0) })
        } catch {
            return Self.refusal(400, error.message)
        }
        let now = now
        let outcome = rules.changeSilences(at: now) {
            silences -> Result<String, Silences.Refusal> in
            do throws(Silences.Refusal) {
                return .success(try silences.set(wanted, newID: Self.newID(), at: now))
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let id): return Self.json(.object(["silenceID": .string(id)]))
        case .failure(let refusal):
            return Self.refusal(refusal.isAbsence ? 404 : 400, refusal.message)
        }
    }

    private func expire(_ id: String) -> HTTPServer.Response {
        let now = now
        let refusal = rules.changeSilences(at: now) { silences -> Silences.Refusal? in
            do throws(Silences.Refusal) {
                try silences.expire(id, at: now)
                return nil
            } catch {
                return error
            }
        }
        guard let refusal else {
            return HTTPServer.Response(status: 200, contentType: "application/json", body: "")
        }
        return Self.refusal(refusal.isAbsence ? 404 : 500, refusal.message)
    }

    /// A name of its own, in the form of a UUID (RFC 9562, version 4).
    private static func newID() -> String {
        var generator = SystemRandomNumberGenerator()
        var digits: [Character] = []
        for place in 0..<32 {
            if [8, 12, 16, 20].contains(place) { digits.append("-") }
            let number =
                place == 12 ? 4 : UInt8.random(in: place == 16 ? 8...11 : 0...15, using: &generator)
            digits.append(Character(String(number, radix: 16)))
        }
        return String(digits)
    }

    // MARK: Status

    private var status: Value {
        .object([
            "cluster": .object(["peers": .array([]), "status": .string("disabled")]),
            "config": .object(["original": .string("")]),
            "uptime": .string(
                TimeFormat.text(of: startedAt, format: "%Y-%m-%dT%H:%M:%S.000Z", zone: .utc)),
            "versionInfo": .object([
                "branch": .string(""), "buildDate": .string(""), "buildUser": .string(""),
                "goVersion": .string(""), "revision": .string(""), "version": .string("weir"),
            ]),
        ])
    }
}
