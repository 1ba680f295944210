import WeirCore
import WeirHost
import WeirMetrics
import WeirPromQL

/// Why a request of the API is refused.
struct QueryRefusal: Error {
    /// Prometheus' word for the kind of error.
    var kind: String
    var message: String

    /// What the client must mend.
    static func badData(_ message: String) -> QueryRefusal {
        QueryRefusal(kind: "bad_data", message: message)
    }

    /// The status code that Prometheus gives the kind.
    var status: Int {
        switch kind {
        case "bad_data": 400
        case "execution": 422
        case "timeout", "canceled": 503
        case "not_found": 404
        default: 500
        }
    }
}

/// The parameters of a request: of its query, and of its body where that is a form.
struct QueryParameters {
    private var values: [(name: String, value: String)] = []

    init(_ request: HTTPServer.Request) {
        add(request.query[...])
        if request.header("content-type")?.hasPrefix("application/x-www-form-urlencoded") ?? false {
            add(String(decoding: request.body, as: UTF8.self)[...])
        }
    }

    private mutating func add(_ text: Substring) { values += FormText.fields(of: text) }

    /// The first value of a parameter.
    subscript(name: String) -> String? {
        values.first { $0.name == name && !$0.value.isEmpty }?.value
    }

    /// All values of a parameter.
    func all(_ name: String) -> [String] { values.filter { $0.name == name }.map(\.value) }

    /// A time: seconds since 1970, or RFC 3339.
    func time(_ name: String, default fallback: Int64?) throws(QueryRefusal) -> Int64 {
        guard let text = self[name] else {
            guard let fallback else {
                throw .badData(
                    "invalid parameter \"\(name)\": cannot parse \"\" to a valid timestamp")
            }
            return fallback
        }
        if let seconds = Double(text), abs(seconds) < 9e15 {
            return Int64((seconds * 1_000).rounded(.toNearestOrAwayFromZero))
        }
        var copy = text
        let found = copy.withUTF8 {
            TimeFormat.parseFreely(UnsafeRawBufferPointer($0), zone: .utc, now: .epoch)
        }
        guard let found, text.contains("T") else {
            throw .badData(
                "invalid parameter \"\(name)\": cannot parse \"\(text)\" to a valid timestamp")
        }
        return found.time.millisecondsSince1970
    }

    /// A time span in milliseconds: seconds, or `1m30s`.
    func span(_ name: String) throws(QueryRefusal) -> Int64? {
        guard let text = self[name] else { return nil }
        let seconds: Double?
        if let number = Double(text) {
            seconds = number
        } else if case .number(let number)? = try? QueryParser.parse(text).kind {
            seconds = number.value
        } else {
            seconds = nil
        }
        guard let seconds, abs(seconds) < 9e15 else {
            throw .badData(
                "invalid parameter \"\(name)\": cannot parse \"\(text)\" to a valid duration")
        }
        return Int64((seconds * 1_000).rounded(.toNearestOrAwayFromZero))
    }

    /// The most series or names of an answer; `nil` for no limit.
    func limit() throws(QueryRefusal) -> Int? {
        guard let text = self["limit"] else { return nil }
        guard let limit = Int(text), limit >= 0 else {
            throw .badData(
                "invalid parameter \"limit\": cannot parse \"\(text)\" to a valid limit")
        }
        return limit > 0 ? limit : nil
    }

    /// The selectors of `match[]`.
    func selectors(isRequired: Bool) throws(QueryRefusal) -> [[CompiledMatcher]] {
        var selectors: [[CompiledMatcher]] = []
        for text in all("match[]") {
            do throws(ParseError) {
                let expression = try QueryParser.parse(text)
                guard case .vectorSelector(let selector) = expression.kind else {
                    throw ParseError("expected a series selector", at: expression.range)
                }
                selectors.append(
                    selector.matchers.compactMap { matcher in try? CompiledMatcher(matcher) })
            } catch {
                throw .badData(
                    "invalid parameter \"match[]\": \(error.text(in: text).prefix { $0 != "\n" })")
            }
        }
        if isRequired, selectors.isEmpty { throw .badData("no match[] parameter provided") }
        return selectors
    }
}
