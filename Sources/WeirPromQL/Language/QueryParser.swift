/// Reads PromQL (Prometheus 3.14's), and checks the types.
public struct QueryParser {
    /// Deepest nesting of an expression.
    static let depthLimit = 250

    let options: ParserOptions
    var lexer: Lexer
    /// The token at hand.
    var token: Token
    /// The end of the token before it.
    var formerEnd = 0
    private var depth = 0
    /// Whether a selector may match series without any label: in `info`, where it only narrows.
    var allowsEmptySelector = false

    init(_ text: String, options: ParserOptions) {
        self.options = options
        lexer = Lexer(text)
        token = lexer.next()
    }

    /// Reads a whole query.
    public static func parse(
        _ text: String, options: ParserOptions = ParserOptions()
    ) throws(ParseError) -> Expression {
        var parser = QueryParser(text, options: options)
        if parser.token.kind == .end {
            throw ParseError("no expression found in input", at: parser.token.range)
        }
        let expression = try parser.expression(above: 0)
        guard parser.token.kind == .end else { throw parser.unexpected() }
        return expression
    }

    // MARK: Tokens

    mutating func advance() {
        formerEnd = token.range.end
        token = lexer.next()
    }

    /// What comes behind the token at hand.
    var following: Token {
        var ahead = lexer
        return ahead.next()
    }

    func isSign(_ sign: String) -> Bool { token.kind == .sign && token.text == sign }

    func isWord(_ word: String) -> Bool {
        token.kind == .identifier && token.text.lowercased() == word
    }

    mutating func take(_ sign: String) -> Bool {
        guard isSign(sign) else { return false }
        advance()
        return true
    }

    mutating func takeWord(_ word: String) -> Bool {
        guard isWord(word) else { return false }
        advance()
        return true
    }

    mutating func expect(_ sign: String, in context: String) throws(ParseError) {
        guard take(sign) else { throw unexpected(in: context, expected: "\"\(sign)\"") }
    }

    /// What is to be said of the token at hand.
    func unexpected(in context: String = "", expected: String = "") -> ParseError {
        if case .invalid(let reason) = token.kind { return ParseError(reason, at: token.range) }
        let what: String
        switch token.kind {
        case .end: what = "end of input"
        case .string: what = "string \(GoText.quoted(token.text))"
        case .number: what = "number \(GoText.quoted(token.text))"
        case .duration: what = "duration \(GoText.quoted(token.text))"
        case .identifier: what = "identifier \(GoText.quoted(token.text))"
        default: what = GoText.quoted(token.text)
        }
        var message = "unexpected \(what)"
        if !context.isEmpty { message += " in \(context)" }
        if !expected.isEmpty { message += ", expected \(expected)" }
        return ParseError(message, at: token.range)
    }

    /// Runs something one level deeper.
    mutating func deeper<T>(
        _ body: (inout QueryParser) throws(ParseError) -> T
    ) throws(ParseError) -> T {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw ParseError(
                "the expression is nested too deeply", at: token.range,
                help: "at most \(Self.depthLimit) levels are read; record a part of it by a rule")
        }
        return try body(&self)
    }

    // MARK: Operators

    /// How strongly the operator at hand binds, if it is one.
    private func binaryOperator() -> (operation: BinaryOperator, strength: Int)? {
        switch token.kind {
        case .sign: break
        case .identifier:
            switch token.text.lowercased() {
            case "or": return (.or, 1)
            case "and": return (.and, 2)
            case "unless": return (.unless, 2)
            case "atan2": return (.arcTangent, 5)
            default: return nil
            }
        default: return nil
        }
        guard let operation = BinaryOperator(rawValue: token.text) else { return nil }
        switch operation {
        case .add, .subtract: return (operation, 4)
        case .multiply, .divide, .modulo: return (operation, 5)
        case .power: return (operation, 6)
        default: return (operation, 3)
        }
    }

    /// Reads an expression of operators that bind more strongly than `strength`.
    mutating func expression(above strength: Int) throws(ParseError) -> Expression {
        try deeper { parser throws(ParseError) in
            var left = try parser.unary()
            while let (operation, own) = parser.binaryOperator(), own > strength {
                let sign = parser.token
                parser.advance()
                var binary = BinaryExpression(operation, left, left)
                let modifiers = try parser.modifiers(&binary)
                // `^` binds to the right.
                binary.right = try parser.expression(
                    above: operation == .power ? own - 1 : own)
                let range = TextRange(start: left.range.start, end: binary.right.range.end)
                try parser.check(&binary, modifiers, at: range, sign: sign)
                left = Expression(.binary(binary), at: range)
            }
            return left
        }
    }

    private mutating func unary() throws(ParseError) -> Expression {
        guard isSign("-") || isSign("+") else { return try postfix() }
        let sign = token
        advance()
        // A sign binds less strongly than `^`, as strongly as `*`.
        let inner = try expression(above: 5)
        let range = TextRange(start: sign.range.start, end: inner.range.end)
        let isNegative = sign.text == "-"
        if case .number(var number) = inner.kind {
            if isNegative { number.value = -number.value }
            return Expression(.number(number), at: range)
        }
        let type = Self.type(of: inner)
        guard type == .scalar || type == .instantVector else {
            throw ParseError(
                "unary expression only allowed on expressions of type scalar or instant vector, "
                    + "got \(GoText.quoted(type.rawValue))", at: range)
        }
        return Expression(.unary(isNegative: isNegative, inner), at: range)
    }

    // MARK: Parts

    private mutating func primary() throws(ParseError) -> Expression {
        let start = token
        switch token.kind {
        case .number(let value):
            advance()
            return Expression(.number(NumberLiteral(value)), at: start.range)
        case .duration(let seconds):
            advance()
            return Expression(.number(NumberLiteral(seconds, isDuration: true)), at: start.range)
        case .string:
            advance()
            return Expression(.string(start.text), at: start.range)
        case .sign where token.text == "(":
            advance()
            let inner = try expression(above: 0)
            try expect(")", in: "paren expression")
            return Expression(
                .parenthesis(inner), at: TextRange(start: start.range.start, end: formerEnd))
        case .sign where token.text == "{": return try vectorSelector(name: nil)
        case .identifier: return try named()
        default: throw unexpected()
        }
    }

    /// An aggregation, a function, a number by name, or a selector.
    private mutating func named() throws(ParseError) -> Expression {
        let start = token
        let word = token.text.lowercased()
        let next = following
        let isCall = next.kind == .sign && next.text == "("
        if let operation = AggregationOperator(rawValue: word) {
            let hasModifier =
                next.kind == .identifier && ["by", "without"].contains(next.text.lowercased())
            if isCall || hasModifier { return try aggregation(operation) }
        }
        if isCall { return try call() }
        let isSelector = next.kind == .sign && next.text == "{"
        if !isSelector, word == "inf" || word == "nan" {
            advance()
            return Expression(
                .number(NumberLiteral(word == "inf" ? .infinity : .nan)), at: start.range)
        }
        if !isSelector, ["and", "or", "unless", "atan2", "bool", "offset"].contains(word),
            next.kind != .end, next.kind != .sign || !")}],".contains(next.text)
        {
            throw unexpected()
        }
        return try vectorSelector(name: start.text)
    }

    private mutating func call() throws(ParseError) -> Expression {
        let name = token
        guard let signature = FunctionCatalogue.signature(named: name.text) else {
            throw ParseError(
                "unknown function with name \(GoText.quoted(name.text))", at: name.range)
        }
        if signature.isExperimental, !options.hasExperimentalFunctions {
            throw ParseError(
                "function \(GoText.quoted(name.text)) is not enabled", at: name.range,
                help: "allow it with `--enable-feature=promql-experimental-functions`")
        }
        advance()
        try expect("(", in: "function call")
        var arguments: [Expression] = []
        while !isSign(")") {
            allowsEmptySelector = signature.name == "info" && arguments.count == 1
            defer { allowsEmptySelector = false }
            arguments.append(try expression(above: 0))
            guard take(",") else { break }
            if isSign(")") {
                throw ParseError(
                    "trailing commas not allowed in function call args", at: token.range)
            }
        }
        try expect(")", in: "function call args")
        let range = TextRange(start: name.range.start, end: formerEnd)
        let call = FunctionCall(signature, arguments)
        try Self.check(call, at: range)
        return Expression(.call(call), at: range)
    }

    private mutating func aggregation(
        _ operation: AggregationOperator
    ) throws(ParseError) -> Expression {
        let start = token
        if operation.isExperimental, !options.hasExperimentalFunctions {
            throw ParseError(
                "\(operation.rawValue)() is experimental and must be enabled with "
                    + "--enable-feature=promql-experimental-functions", at: start.range)
        }
        advance()
        var grouping = try groupingModifier()
        guard isSign("(") else { throw unexpected(in: "aggregation") }
        advance()
        var arguments: [Expression] = []
        var malformed: [UInt8] = []
        while !isSign(")") {
            if !token.malformed.isEmpty { malformed = token.malformed }
            arguments.append(try expression(above: 0))
            guard take(",") else { break }
        }
        try expect(")", in: "aggregation")
        if grouping == nil { grouping = try groupingModifier() }
        let range = TextRange(start: start.range.start, end: formerEnd)
        if !malformed.isEmpty {
            throw ParseError(
                "invalid label name \(GoText.quoted(malformed: malformed))", at: range)
        }
        return try Self.aggregation(operation, arguments, grouping, at: range)
    }

    private mutating func groupingModifier() throws(ParseError) -> (
        labels: [String], isWithout: Bool
    )? {
        let isWithout = isWord("without")
        guard isWithout || isWord("by") else { return nil }
        advance()
        return (try labelNames(), isWithout)
    }

    /// A list of label names in parentheses.
    mutating func labelNames() throws(ParseError) -> [String] {
        try expect("(", in: "grouping opts")
        var names: [String] = []
        while !isSign(")") {
            switch token.kind {
            case .identifier where !token.text.contains(":"): break
            case .string where !token.text.isEmpty && token.malformed.isEmpty: break
            default: throw unexpected(in: "grouping opts", expected: "label")
            }
            names.append(token.text)
            advance()
            guard take(",") else { break }
        }
        try expect(")", in: "grouping opts")
        return names
    }

    // MARK: What stands behind

    private mutating func postfix() throws(ParseError) -> Expression {
        var expression = try primary()
        while true {
            if isSign("[") {
                expression = try range(of: expression)
            } else if isWord("offset") {
                let word = token
                advance()
                let offset = try offsetSpan()
                let end = formerEnd
                try change(&expression, word, end) { parts in
                    if parts.offset != nil { return "offset may not be set multiple times" }
                    parts.offset = offset
                    return nil
                }
            } else if isSign("@") {
                let sign = token
                advance()
                let time = try pinnedTime()
                try change(&expression, sign, formerEnd) { parts in
                    if parts.pinnedTime != nil {
                        return "@ <timestamp> may not be set multiple times"
                    }
                    parts.pinnedTime = time
                    return nil
                }
            } else if let edge = edge() {
                try setEdge(edge, of: &expression)
            } else {
                return expression
            }
        }
    }

    private func edge() -> WindowEdge? {
        guard token.kind == .identifier else { return nil }
        switch token.text.lowercased() {
        case "anchored": return .anchored
        case "smoothed": return .smoothed
        default: return nil
        }
    }
}
