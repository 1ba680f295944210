/// An access-log format of Envoy's, compiled: literals and fields in turn.
///
/// Text formats escape nothing, so some fields of some formats cannot be told apart for certain;
/// ``indistinctFields`` names them.
public struct EnvoyFormat: Sendable {
    /// A field of the format.
    public struct Field: Sendable {
        /// The name in the record: Istio's JSON key for the operator, where there is one.
        public let name: String
        /// The operator as it was written.
        public let operation: String
        let form: EnvoyValueForm
        /// How the field tells the event's time, if it does.
        let timeFormat: String?
    }

    /// Istio's default text format (istio: `pilot/pkg/model/telemetry_logging.go`).
    public static let istioText = """
        [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" \
        %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% \
        %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% \
        %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" \
        "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" \
        %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% \
        %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%

        """

    /// What Envoy writes when no format is given.
    public static let envoyText = """
        [%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" \
        %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
        %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" \
        "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"

        """

    /// The fields, in the format's order.
    public let fields: [Field]
    /// What stands before, between and behind the fields: one more than there are fields.
    let literals: [[UInt8]]
    /// Whether the format ends its lines itself; Envoy adds no line end to a text format.
    let endsLine: Bool
    /// Whether a missing value leaves nothing, as with Envoy's `omit_empty_values`.
    let omitsEmpty: Bool

    /// Compiles a format string, by Envoy's rules.
    public init(_ text: String, omittingEmptyValues: Bool = false) throws(EnvoyFormatError) {
        var literals: [[UInt8]] = [[]]
        var operators: [EnvoyOperator] = []
        for piece in try EnvoyFormatReader.read(text) {
            switch piece {
            case .literal(let bytes): literals[literals.count - 1] = bytes
            case .operation(let operation):
                operators.append(operation)
                literals.append([])
            }
        }
        endsLine = literals.last?.last == 0x0a
        if endsLine { literals[literals.count - 1].removeLast() }
        self.literals = literals
        omitsEmpty = omittingEmptyValues
        let names = EnvoyFieldNames.names(for: operators)
        fields = zip(names, operators).map { name, operation in
            var form = operation.form
            if omittingEmptyValues { form.shortest = 0 }
            let isTime = operation.name.hasPrefix("START_TIME")
            return Field(
                name: name, operation: operation.text, form: form,
                timeFormat: isTime ? EnvoyTimeShape(operation).timeFormat : nil)
        }
    }

    /// Most lines that one record takes.
    static let lineLimit = 16

    /// Whether a record may take several lines: the format has a line end inside, or a value that
    /// Envoy has URL-decoded brings one.
    var spansLines: Bool {
        literals.contains { $0.contains(0x0a) } || fields.contains { $0.form.bytes == .all }
    }

    /// The fields of which some lines can be read in several ways: neither a scan from the left
    /// nor one from the right finds their ends for certain.
    public var indistinctFields: [String] {
        let found = fields.indices
        let left = found.first { !endsSurely($0) } ?? fields.count
        let right = found.last { !beginsSurely($0) } ?? -1
        return left < right ? fields[left...right].map(\.name) : []
    }

    /// How to mend a format with ``indistinctFields``; `nil` when it has none.
    public var advice: String? {
        let names = indistinctFields
        guard let first = names.first, let last = names.last else { return nil }
        let free = fields.filter { names.contains($0.name) && $0.form.isFree }
            .map { "`\($0.operation)`" }.joined(separator: ", ")
        return
            "fields `\(first)` to `\(last)` cannot be told apart when a value holds what parts "
            + "them, since Envoy escapes nothing in text, not even between quotes"
            + (free.isEmpty ? "" : " (any text can stand in \(free))")
            + ": use `json_format`, or put a byte that no header can hold, such as U+001F, "
            + "before and behind each of them"
    }

    /// Whether a scan from the left finds where a field ends.
    private func endsSurely(_ index: Int) -> Bool {
        let form = fields[index].form
        if form.shortest == form.longest { return true }
        guard let delimiter = literals[index + 1].first else {
            return index == fields.count - 1 && endsLine
        }
        return !form.bytes.contains(delimiter)
    }

    /// Whether a scan from the right finds where a field begins.
    private func beginsSurely(_ index: Int) -> Bool {
        let form = fields[index].form
        if form.shortest == form.longest { return true }
        guard let delimiter = literals[index].last else { return index == 0 }
        return !form.bytes.contains(delimiter)
    }
}
