import WeirPromQL

/// The functions of templates: Go's own, and those that Prometheus adds
/// (prometheus.io/docs/prometheus/latest/configuration/template_reference).
struct TemplateFunctions {
    /// All names.
    static let names: Set<String> = [
        "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js",
        "urlquery", "eq", "ne", "lt", "le", "gt", "ge", "call",
        "query", "first", "label", "value", "strvalue", "args", "sortByLabel", "reReplaceAll",
        "match", "title", "toUpper", "toLower", "graphLink", "tableLink", "stripPort",
        "stripDomain", "humanize", "humanize1024", "humanizeDuration", "humanizePercentage",
        "humanizeTimestamp", "toTime", "toDuration", "now", "parseDuration", "safeHtml",
        "pathPrefix", "externalURL", "urlQueryEscape",
    ]
    /// Those that notifications have besides, as Alertmanager's templates do.
    static let notificationNames: Set<String> = [
        "join", "trimSpace", "stringSlice", "toJson", "safeUrl",
    ]

    private let surroundings: TemplateSurroundings

    init(_ surroundings: TemplateSurroundings) { self.surroundings = surroundings }

    /// The value of a function.
    func call(
        _ name: String, _ arguments: [TemplateValue]
    ) throws(TemplateFailure) -> TemplateValue {
        switch name {
        case "and", "or":
            guard let last = arguments.last else { throw Self.count(name, 1, 0) }
            return last
        case "not": return .bool(!(try one(name, arguments).isTrue))
        case "eq", "ne", "lt", "le", "gt", "ge": return .bool(try Self.compares(name, arguments))
        case "print": return .string(Self.printed(arguments))
        case "println": return .string(arguments.map(\.text).joined(separator: " ") + "\n")
        case "printf":
            guard case .string(let form)? = arguments.first else {
                throw TemplateFailure(
                    "wrong type for its form: \(arguments.first?.typeName ?? "<nil>")")
            }
            return .string(GoFormat.text(form, Array(arguments.dropFirst())))
        case "len": return .integer(try Self.length(try one(name, arguments)))
        case "index": return try Self.index(arguments)
        case "slice": return try Self.slice(arguments)
        case "html": return .string(Self.escaped(Self.printed(arguments)))
        case "js": return .string(Self.escapedForScript(Self.printed(arguments)))
        case "urlquery", "urlQueryEscape": return .string(Self.queryPart(Self.printed(arguments)))
        case "call": throw TemplateFailure("there is no value that can be called")
        case "args":
            return .map(
                Dictionary(
                    uniqueKeysWithValues: arguments.enumerated().map {
                        ("arg\($0.offset)", $0.element)
                    }))
        case _ where Self.notificationNames.contains(name):
            return try NotificationFunctions.call(name, arguments)
        default: return try alertFunction(name, arguments)
        }
    }

    private func one(
        _ name: String, _ arguments: [TemplateValue]
    ) throws(TemplateFailure) -> TemplateValue {
        guard arguments.count == 1 else { throw Self.count(name, 1, arguments.count) }
        return arguments[0]
    }

    private static func count(_ name: String, _ wanted: Int, _ got: Int) -> TemplateFailure {
        TemplateFailure("wrong number of args for \(name): want \(wanted) got \(got)")
    }

    // MARK: Go's own

    /// Values side by side, with a blank between two that are no texts.
    private static func printed(_ values: [TemplateValue]) -> String {
        var out = ""
        for (place, value) in values.enumerated() {
            if place > 0 {
                var isApart = true
                if case .string = value { isApart = false }
                if case .string = values[place - 1] { isApart = false }
                if isApart { out += " " }
            }
            out += value.text
        }
        return out
    }

    private static func compares(
        _ name: String, _ arguments: [TemplateValue]
    ) throws(TemplateFailure) -> Bool {
        guard arguments.count >= 2 else { throw TemplateFailure("missing argument for comparison") }
        switch name {
        case "eq":
            for other in arguments.dropFirst() where try order(arguments[0], other) == 0 {
                return true
            }
            return false
        case "ne": return try order(arguments[0], arguments[1]) != 0
        case "lt": return try order(arguments[0], arguments[1]) == -1
        case "le":
            let order = try order(arguments[0], arguments[1])
            return order == -1 || order == 0
        case "gt": return try order(arguments[0], arguments[1]) == 1
        default:
            let order = try order(arguments[0], arguments[1])
            return order == 1 || order == 0
        }
    }

    /// −1, 0 or 1; 2 where numbers have no order.
    private static func order(
        _ left: TemplateValue, _ right: TemplateValue
    ) throws(TemplateFailure) -> Int {
        switch (left, right) {
        case (.integer(let first), .integer(let second)):
            return first < second ? -1 : first > second ? 1 : 0
        case (.number(let first), .number(let second)):
            return first < second ? -1 : first > second ? 1 : first == second ? 0 : 2
        case (.string(let first), .string(let second)):
            return first == second ? 0 : first.utf8.lexicographicallyPrecedes(second.utf8) ? -1 : 1
        case (.bool(let first), .bool(let second)): return first == second ? 0 : 2
        case (.null, .null): return 0
        default: throw TemplateFailure("incompatible types for comparison")
        }
    }

    private static func length(_ value: TemplateValue) throws(TemplateFailure) -> Int {
        switch value {
        case .string(let text): return text.utf8.count
        case .list(let values): return values.count
        case .labels(let labels), .pairs(let labels): return labels.count
        case .map(let values): return values.count
        default: throw TemplateFailure("len of type \(value.typeName)")
        }
    }

    private static func index(_ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue
    {
        guard var value = arguments.first else { throw count("index", 1, 0) }
        for key in arguments.dropFirst() {
            switch (value, key) {
            case (.list(let values), .integer(let place)):
                guard values.indices.contains(place) else {
                    throw TemplateFailure("index out of range: \(place)")
                }
                value = values[place]
            case (.labels(let labels), .string(let name)), (.pairs(let labels), .string(let name)):
                value = .string(labels[name] ?? "")
            case (.map(let values), .string(let name)): value = values[name] ?? .null
            case (.string(let text), .integer(let place)):
                guard place >= 0, place < text.utf8.count else {
                    throw TemplateFailure("index out of range: \(place)")
                }
                value = .integer(Int(Array(text.utf8)[place]))
            default: throw TemplateFailure("can't index item of type \(value.typeName)")
            }
        }
        return value
    }

    private static func slice(_ arguments: [TemplateValue]) throws(TemplateFailure) -> TemplateValue
    {
        guard let first = arguments.first else { throw count("slice", 1, 0) }
        let length = try length(first)
        var bounds = [0, length]
        for (place, argument) in arguments.dropFirst().prefix(2).enumerated() {
            guard case .integer(let bound) = argument, (0...length).contains(bound) else {
                throw TemplateFailure("index out of range: \(argument.text)")
            }
            bounds[place] = bound
        }
        guard bounds[0] <= bounds[1] else {
            throw TemplateFailure("invalid slice index: \(bounds[0]) > \(bounds[1])")
        }
        switch first {
        case .string(let text):
            return .string(String(decoding: Array(text.utf8)[bounds[0]..<bounds[1]], as: UTF8.self))
        case .list(let values): return .list(Array(values[bounds[0]..<bounds[1]]))
        default: throw TemplateFailure("can't slice item of type \(first.typeName)")
        }
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&#34;").replacing("'", with: "&#39;")
    }

    /// A text as a part of a string in JavaScript, as Go escapes it.
    private static func escapedForScript(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "\\": return "\\\\"
            case "'": return "\\'"
            case "\"": return "\\\""
            case "<", ">", "&", "=": break
            case _ where scalar.value >= 0x20 && scalar.isPrinted: return String(scalar)
            default: break
            }
            let digits = String(scalar.value, radix: 16, uppercase: true)
            return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }.joined()
    }

    /// A text as a part of an address's query, as Go escapes it.
    static func queryPart(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.map { byte in
            if byte == 0x20 { return "+" }
            let isPlain =
                (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10
                || [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~")]
                    .contains(byte)
            return isPlain
                ? String(UnicodeScalar(byte))
                : "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }.joined()
    }

    // MARK: Those of alerts

    private func alertFunction(
        _ name: String, _ arguments: [TemplateValue]
    ) throws(TemplateFailure) -> TemplateValue {
        switch name {
        case "query": return try query(try Self.text(name, arguments, 0, of: 1))
        case "first":
            guard case .list(let values) = try one(name, arguments), let first = values.first else {
                throw TemplateFailure("first() called on vector with no elements")
            }
            return first
        case "label":
            let label = try Self.text(name, arguments, 0, of: 2)
            guard case .sample(let labels, _) = arguments[1] else {
                throw Self.noSample(arguments[1])
            }
            return .string(labels[label] ?? "")
        case "value":
            guard case .sample(_, let value) = try one(name, arguments) else {
                throw Self.noSample(arguments[0])
            }
            return .number(value)
        case "strvalue":
            guard case .sample(let labels, _) = try one(name, arguments) else {
                throw Self.noSample(arguments[0])
            }
            return .string(labels["__value__"] ?? "")
        case "sortByLabel": return try Self.sorted(arguments)
        case "reReplaceAll", "match": return try Self.matched(name, arguments)
        case "title": return .string(Self.title(try Self.text(name, arguments, 0, of: 1)))
        case "toUpper": return .string(try Self.text(name, arguments, 0, of: 1).uppercased())
        case "toLower": return .string(try Self.text(name, arguments, 0, of: 1).lowercased())
        case "graphLink", "tableLink":
            let query = Self.queryPart(try Self.text(name, arguments, 0, of: 1))
            return .string("/graph?g0.expr=\(query)&g0.tab=\(name == "graphLink" ? 0 : 1)")
        case "stripPort":
            return .string(HostText.withoutPort(try Self.text(name, arguments, 0, of: 1)))
        case "stripDomain":
            return .string(HostText.withoutDomain(try Self.text(name, arguments, 0, of: 1)))
        case "safeHtml": return .string(try one(name, arguments).text)
        case "now": return .number(Double(surroundings.now) / 1_000)
        case "externalURL", "pathPrefix":
            guard let url = surroundings.externalURL else {
                throw TemplateFailure("the agent does not know its own address")
            }
            return .string(name == "externalURL" ? url : HostText.path(of: url))
        case "parseDuration":
            let text = try Self.text(name, arguments, 0, of: 1)
            let digits = text.drop { $0 == "-" }
            guard let milliseconds = DurationNotation.milliseconds(digits) else {
                throw TemplateFailure("not a valid duration string: \(GoText.quoted(text))")
            }
            return .number((text.hasPrefix("-") ? -1 : 1) * Double(milliseconds) / 1_000)
        default:
            let number = try Self.number(try one(name, arguments))
            switch name {
            case "humanize": return .string(Humanize.decimal(number))
            case "humanize1024": return .string(Humanize.binary(number))
            case "humanizeDuration": return .string(Humanize.duration(number))
            case "humanizePercentage": return .string(Humanize.percentage(number))
            case "humanizeTimestamp": return .string(try Humanize.timestamp(number))
            case "toTime": return .time(try Humanize.nanoseconds(number))
            default: return .span(number)
            }
        }
    }

    private static func noSample(_ value: TemplateValue) -> TemplateFailure {
        TemplateFailure("wrong type for value; expected template.sample; got \(value.typeName)")
    }

    private static func text(
        _ name: String, _ arguments: [TemplateValue], _ place: Int, of count: Int
    ) throws(TemplateFailure) -> String {
        guard arguments.count == count else { throw Self.count(name, count, arguments.count) }
        guard case .string(let text) = arguments[place] else {
            throw TemplateFailure(
                "wrong type for value; expected string; got \(arguments[place].typeName)")
        }
        return text
    }

    /// A number, or a text that is one.
    private static func number(_ value: TemplateValue) throws(TemplateFailure) -> Double {
        switch value {
        case .integer(let number): return Double(number)
        case .number(let number): return number
        case .span(let seconds): return seconds
        case .string(let text):
            guard let number = Double(text.replacing("Inf", with: "inf")) else {
                throw TemplateFailure(
                    "strconv.ParseFloat: parsing \(GoText.quoted(text)): invalid syntax")
            }
            return number
        default: throw TemplateFailure("can't convert \(value.typeName) to float")
        }
    }

    private func query(_ text: String) throws(TemplateFailure) -> TemplateValue {
        var samples: [TemplateValue] = []
        for series in try surroundings.query(text) {
            guard let point = series.points.first, point.histogram == nil else { continue }
            var labels: [String: String] = [:]
            for (name, value) in series.labels { labels[name] = value }
            samples.append(.sample(labels: labels, value: point.value))
        }
        return .list(samples)
    }

    private static func sorted(
        _ arguments: [TemplateValue]
    ) throws(TemplateFailure) -> TemplateValue {
        let label = try text("sortByLabel", arguments, 0, of: 2)
        guard case .list(let values) = arguments[1] else { throw noSample(arguments[1]) }
        func key(_ value: TemplateValue) -> String {
            if case .sample(let labels, _) = value { labels[label] ?? "" } else { "" }
        }
        let sorted = values.enumerated().sorted { left, right in
            let (first, second) = (key(left.element), key(right.element))
            if first == second { return left.offset < right.offset }
            return first.utf8.lexicographicallyPrecedes(second.utf8)
        }
        return .list(sorted.map(\.element))
    }

    private static func matched(
        _ name: String, _ arguments: [TemplateValue]
    ) throws(TemplateFailure) -> TemplateValue {
        let isMatch = name == "match"
        let pattern = try text(name, arguments, 0, of: isMatch ? 2 : 3)
        let subject = try text(name, arguments, isMatch ? 1 : 2, of: isMatch ? 2 : 3)
        let replacement = isMatch ? "" : try text(name, arguments, 1, of: 3)
        do throws(LabelPatternError) {
            if isMatch { return .bool(try TextReplacement.matches(pattern, subject)) }
            return .string(try TextReplacement.replaced(subject, pattern, replacement))
        } catch {
            throw TemplateFailure("error parsing regexp: \(error.message)")
        }
    }

    /// Each word's first letter made large.
    private static func title(_ text: String) -> String {
        var out = ""
        var startsWord = true
        for character in text {
            out += startsWord ? character.uppercased() : String(character)
            startsWord =
                !(character.isLetter || character.isNumber || character == "_" || character == "'")
        }
        return out
    }
}

extension Unicode.Scalar {
    /// Whether Go prints it: letters, marks, numbers, punctuation, symbols and the blank.
    fileprivate var isPrinted: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator:
            false
        case .spaceSeparator: self == " "
        default: true
        }
    }
}
