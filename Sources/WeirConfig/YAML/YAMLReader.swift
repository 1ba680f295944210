import CYAML

/// Reads YAML files by libyaml: several documents, each as a tree that knows its places.
public enum YAMLReader {
    /// Most bytes of a file.
    public static let byteLimit = 16 << 20
    /// Most parts of a file, those that aliases repeat included.
    public static let nodeLimit = 1_000_000
    /// Deepest nesting.
    public static let depthLimit = 200

    /// The documents of a file.
    /// - Throws: The first mistake: after it nothing can be told.
    public static func documents(
        _ bytes: [UInt8], file: String
    ) throws(ConfigurationError) -> [YAMLNode] {
        guard bytes.count <= byteLimit else {
            throw ConfigurationError([
                Diagnostic(
                    at: SourceLocation(file: file, line: 1, column: 1),
                    "the file has more than \(byteLimit) bytes", help: "split it into several")
            ])
        }
        var composer = YAMLComposer(bytes, file: file)
        return try composer.documents()
    }
}

/// Makes nodes of libyaml's events.
private struct YAMLComposer {
    private let bytes: [UInt8]
    private let file: String
    /// Where each line begins, for literal scalars.
    private let lineStarts: [Int]
    private var anchors: [String: YAMLNode] = [:]
    private var nodeCount = 0

    init(_ bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
        var starts = [0]
        for place in bytes.indices where bytes[place] == 0x0a { starts.append(place + 1) }
        lineStarts = starts
    }

    mutating func documents() throws(ConfigurationError) -> [YAMLNode] {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else { throw problem("out of memory", 1, 1) }
        defer { yaml_parser_delete(&parser) }
        let count = bytes.count
        return try bytes.withUnsafeBufferPointer { buffer throws(ConfigurationError) in
            yaml_parser_set_input_string(&parser, buffer.baseAddress, count)
            var documents: [YAMLNode] = []
            while true {
                var event = try next(&parser)
                defer { yaml_event_delete(&event) }
                switch event.type {
                case YAML_STREAM_END_EVENT: return documents
                case YAML_STREAM_START_EVENT, YAML_DOCUMENT_END_EVENT: continue
                case YAML_DOCUMENT_START_EVENT: anchors = [:]
                default: documents.append(try node(event, &parser, depth: 0))
                }
            }
        }
    }

    private func next(_ parser: inout yaml_parser_t) throws(ConfigurationError) -> yaml_event_t {
        var event = yaml_event_t()
        guard yaml_parser_parse(&parser, &event) == 1 else {
            let text = parser.problem.map { String(cString: $0) } ?? "the file cannot be read"
            let mark = parser.problem_mark
            throw problem(text, Int(mark.line) + 1, Int(mark.column) + 1)
        }
        return event
    }

    private func problem(_ text: String, _ line: Int, _ column: Int) -> ConfigurationError {
        ConfigurationError([
            Diagnostic(
                at: SourceLocation(file: file, line: line, column: column),
                "this is no YAML: \(text)",
                help: "look at the indentation, and at quotes and colons there")
        ])
    }

    // MARK: Nodes

    private mutating func node(
        _ event: yaml_event_t, _ parser: inout yaml_parser_t, depth: Int
    ) throws(ConfigurationError) -> YAMLNode {
        let (line, column) = (Int(event.start_mark.line) + 1, Int(event.start_mark.column) + 1)
        let location = SourceLocation(file: file, line: line, column: column)
        nodeCount += 1
        guard nodeCount <= YAMLReader.nodeLimit, depth < YAMLReader.depthLimit else {
            throw problem("it has too many parts, or is nested too deeply", line, column)
        }
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            var node = YAMLNode(
                .scalar(Self.text(scalar.value, scalar.length), Self.style(scalar.style)),
                at: location)
            if scalar.style == YAML_LITERAL_SCALAR_STYLE {
                node.indentation = indentation(after: line)
            }
            return anchored(node, scalar.anchor)
        case YAML_SEQUENCE_START_EVENT:
            var elements: [YAMLNode] = []
            let anchor = event.data.sequence_start.anchor.map { Self.text($0) }
            while true {
                var next = try next(&parser)
                defer { yaml_event_delete(&next) }
                if next.type == YAML_SEQUENCE_END_EVENT { break }
                elements.append(try node(next, &parser, depth: depth + 1))
            }
            return anchored(YAMLNode(.sequence(elements), at: location), anchor)
        case YAML_MAPPING_START_EVENT:
            let anchor = event.data.mapping_start.anchor.map { Self.text($0) }
            let fields = try fields(&parser, depth: depth)
            return anchored(YAMLNode(.mapping(fields), at: location), anchor)
        case YAML_ALIAS_EVENT:
            let name = event.data.alias.anchor.map { Self.text($0) } ?? ""
            guard let found = anchors[name] else {
                throw problem("there is no anchor &\(name) before this", line, column)
            }
            nodeCount += Self.count(found)
            guard nodeCount <= YAMLReader.nodeLimit else {
                throw problem("its aliases repeat too many parts", line, column)
            }
            return found
        default: throw problem("nothing can be read here", line, column)
        }
    }

    private mutating func fields(
        _ parser: inout yaml_parser_t, depth: Int
    ) throws(ConfigurationError) -> [(key: YAMLNode, value: YAMLNode)] {
        var fields: [(key: YAMLNode, value: YAMLNode)] = []
        var names: Set<String> = []
        while true {
            var first = try next(&parser)
            defer { yaml_event_delete(&first) }
            if first.type == YAML_MAPPING_END_EVENT { return fields }
            let key = try node(first, &parser, depth: depth + 1)
            var second = try next(&parser)
            defer { yaml_event_delete(&second) }
            let value = try node(second, &parser, depth: depth + 1)
            if let name = key.text, !names.insert(name).inserted {
                throw ConfigurationError([
                    Diagnostic(
                        at: key.location, "`\(name)` is there twice", help: "remove one of them")
                ])
            }
            fields.append((key, value))
        }
    }

    private mutating func anchored(
        _ node: YAMLNode, _ anchor: UnsafeMutablePointer<yaml_char_t>?
    ) -> YAMLNode {
        anchored(node, anchor.map { Self.text($0) })
    }

    private mutating func anchored(_ node: YAMLNode, _ anchor: String?) -> YAMLNode {
        if let anchor { anchors[anchor] = node }
        return node
    }

    private static func count(_ node: YAMLNode) -> Int {
        switch node.content {
        case .scalar: 1
        case .sequence(let elements): elements.reduce(1) { $0 + count($1) }
        case .mapping(let fields): fields.reduce(1) { $0 + count($1.key) + count($1.value) }
        }
    }

    private static func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?, _ count: Int) -> String {
        String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    private static func text(_ bytes: UnsafeMutablePointer<yaml_char_t>) -> String {
        String(cString: bytes)
    }

    private static func style(_ style: yaml_scalar_style_t) -> YAMLNode.ScalarStyle {
        switch style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE, YAML_DOUBLE_QUOTED_SCALAR_STYLE: .quoted
        case YAML_LITERAL_SCALAR_STYLE: .literal
        case YAML_FOLDED_SCALAR_STYLE: .folded
        default: .plain
        }
    }

    /// How far the first line with a text behind a line is indented.
    private func indentation(after line: Int) -> Int {
        for number in line..<max(line, lineStarts.count) {
            var place = lineStarts[number]
            let start = place
            while place < bytes.count, bytes[place] == 0x20 { place += 1 }
            if place < bytes.count, bytes[place] != 0x0a, bytes[place] != 0x0d {
                return place - start
            }
        }
        return 0
    }
}
