/// The subset of Ruby that Weir evaluates inside `#{…}`: what the stock Fluentd images use.
///
/// `ENV['X']`, `ENV.fetch('X', default)`, `||`, string and integer literals, `use_nil`,
/// `use_default`, `nil`, `hostname`, `Socket.gethostname`, `worker_id`, `File.join(…)`, `+` of
/// strings, and `.to_s`, `.strip`, `.downcase`, `.upcase` behind any of them.
struct RubyExpression {
    /// What an expression gives.
    enum Result: Equatable {
        case text(String)
        case integer(Int)
        case null
        case useNil
        case useDefault
    }

    /// Why an expression cannot be evaluated.
    struct Failure: Error {
        var message: String
        var help: String
    }

    static let offer =
        "Weir evaluates ENV['X'], ENV.fetch('X', 'default'), ||, string literals, use_nil, "
        + "use_default, hostname, Socket.gethostname, worker_id and File.join"
    private static let depthLimit = 32

    private var rest: Substring
    private let files: any ConfigFiles
    private var depth = 0

    /// Evaluates the text between `#{` and `}`.
    static func evaluate(_ text: String, files: any ConfigFiles) throws(Failure) -> Result {
        var expression = RubyExpression(rest: Substring(text), files: files)
        let result = try expression.alternative()
        expression.skipSpace()
        guard expression.rest.isEmpty else {
            throw Failure(
                message: "`#{\(text)}` is Ruby that Weir does not evaluate", help: offer)
        }
        return result
    }

    private init(rest: Substring, files: any ConfigFiles) {
        self.rest = rest
        self.files = files
    }

    private mutating func skipSpace() { rest = rest.drop { $0.isWhitespace } }

    private mutating func take(_ text: String) -> Bool {
        skipSpace()
        guard rest.hasPrefix(text) else { return false }
        rest = rest.dropFirst(text.count)
        return true
    }

    private mutating func takeWord(_ word: String) -> Bool {
        skipSpace()
        guard rest.hasPrefix(word) else { return false }
        let after = rest.dropFirst(word.count).first
        if let after, after.isLetter || after.isNumber || after == "_" { return false }
        rest = rest.dropFirst(word.count)
        return true
    }

    private func refusal() -> Failure {
        Failure(
            message: "`\(rest.prefix(40))` is Ruby that Weir does not evaluate", help: Self.offer)
    }

    private mutating func alternative() throws(Failure) -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else { throw refusal() }
        var result = try sum()
        while take("||") {
            let other = try sum()
            if result == .null { result = other }
        }
        return result
    }

    private mutating func sum() throws(Failure) -> Result {
        var result = try postfixed()
        while true {
            skipSpace()
            guard rest.hasPrefix("+"), take("+") else { return result }
            let start = rest
            switch (result, try postfixed()) {
            case (.text(let left), .text(let right)): result = .text(left + right)
            case (.integer(let left), .integer(let right)):
                let (total, overflow) = left.addingReportingOverflow(right)
                if overflow { throw refusal() }
                result = .integer(total)
            default:
                rest = start
                throw refusal()
            }
        }
    }

    private mutating func postfixed() throws(Failure) -> Result {
        var result = try primary()
        while rest.hasPrefix(".") {
            let text: String? = if case .text(let text) = result { text } else { nil }
            if takeWord(".to_s") {
                if result == .null { result = .text("") }
                if case .integer(let number) = result { result = .text("\(number)") }
            } else if let text, takeWord(".strip") {
                result = .text(stripped(text))
            } else if let text, takeWord(".downcase") {
                result = .text(text.lowercased())
            } else if let text, takeWord(".upcase") {
                result = .text(text.uppercased())
            } else {
                throw refusal()
            }
        }
        return result
    }

    private func stripped(_ text: String) -> String {
        let head = text.drop { $0.isWhitespace }
        return String(head.reversed().drop { $0.isWhitespace }.reversed())
    }

    private mutating func primary() throws(Failure) -> Result {
        skipSpace()
        switch rest.first {
        case "'", "\"": return .text(try string())
        case let digit? where digit.isASCII && digit.isNumber:
            let number = rest.prefix { $0.isASCII && $0.isNumber }
            guard let value = Int(number) else { throw refusal() }
            rest = rest.dropFirst(number.count)
            return .integer(value)
        case "(":
            _ = take("(")
            let result = try alternative()
            guard take(")") else { throw refusal() }
            return result
        default: return try named()
        }
    }

    private mutating func named() throws(Failure) -> Result {
        if takeWord("use_nil") { return .useNil }
        if takeWord("use_default") { return .useDefault }
        if takeWord("nil") { return .null }
        if takeWord("hostname") || takeWord("Socket.gethostname") { return .text(files.hostName) }
        if takeWord("worker_id") { return .text("") }
        if takeWord("ENV.fetch") { return try fetch() }
        if take("ENV[") {
            let name = try string()
            guard take("]") else { throw refusal() }
            return files.environment(name).map { .text($0) } ?? .null
        }
        if takeWord("File.join") {
            var parts: [String] = []
            for argument in try arguments() {
                guard case .text(let text) = argument else { throw refusal() }
                parts.append(text)
            }
            return .text(joined(parts))
        }
        throw refusal()
    }

    private mutating func fetch() throws(Failure) -> Result {
        let start = rest
        let values = try arguments()
        guard case .text(let name)? = values.first, values.count <= 2 else {
            rest = start
            throw refusal()
        }
        if let value = files.environment(name) { return .text(value) }
        guard values.count == 2 else {
            throw Failure(
                message: "the environment variable `\(name)` is not set",
                help: "set it, or give a default: ENV.fetch('\(name)', '…')")
        }
        return values[1]
    }

    private mutating func arguments() throws(Failure) -> [Result] {
        guard take("(") else { throw refusal() }
        var values: [Result] = []
        if take(")") { return values }
        repeat { values.append(try alternative()) } while take(",")
        guard take(")") else { throw refusal() }
        return values
    }

    /// Ruby's `File.join`: one slash between parts, however many there were.
    private func joined(_ parts: [String]) -> String {
        var path = ""
        for (index, part) in parts.enumerated() {
            if index == 0 {
                path = part
                continue
            }
            while path.hasSuffix("/") { path.removeLast() }
            path += "/" + part.drop { $0 == "/" }
        }
        return path
    }

    private mutating func string() throws(Failure) -> String {
        skipSpace()
        guard let quote = rest.first, quote == "'" || quote == "\"" else { throw refusal() }
        let start = rest
        rest = rest.dropFirst()
        var text = ""
        while let character = rest.first {
            rest = rest.dropFirst()
            if character == quote { return text }
            if character == "\\", let next = rest.first {
                rest = rest.dropFirst()
                if next != quote, next != "\\" { text.append("\\") }
                text.append(next)
            } else if quote == "\"", character == "#", rest.first == "{" {
                rest = rest.dropFirst()
                switch try alternative() {
                case .text(let inner): text += inner
                case .integer(let number): text += "\(number)"
                case .null: break
                case .useNil, .useDefault: throw refusal()
                }
                guard take("}") else { throw refusal() }
            } else {
                text.append(character)
            }
        }
        rest = start
        throw refusal()
    }
}
