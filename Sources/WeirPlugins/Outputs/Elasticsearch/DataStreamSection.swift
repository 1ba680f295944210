import WeirConfig
import WeirCore
import WeirHost

/// What a `<match>` of `@type elasticsearch_data_stream` means.
struct DataStreamSection {
    private enum P {
        static let name = Parameter.text(
            "data_stream_name", "The data stream; `${tag}` and fields are filled in.")
        static let ilmName = Parameter.text(
            "data_stream_ilm_name", default: "", "The life-cycle policy; else the stream's name.")
        static let templateName = Parameter.text(
            "data_stream_template_name", default: "", "The template; else the stream's name.")
        static let policy = Parameter.text(
            "data_stream_ilm_policy", default: "", "The life-cycle policy as JSON.")
        static let overwrite = Parameter.flag(
            "data_stream_ilm_policy_overwrite", default: false,
            "Whether a policy that is there is replaced.")
    }

    /// The component as users see it.
    static let declaration = ComponentDeclaration(
        .output, type: "elasticsearch_data_stream",
        "Stores events as documents of an Elasticsearch data stream.",
        parameters: [
            AnyParameter(P.name), AnyParameter(P.ilmName), AnyParameter(P.templateName),
            AnyParameter(P.policy), AnyParameter(P.overwrite),
        ] + ElasticsearchParameters.connection + ElasticsearchParameters.document
            + [
                AnyParameter(ElasticsearchParameters.verifyVersion),
                AnyParameter(ElasticsearchParameters.defaultVersion),
                AnyParameter(ElasticsearchParameters.suppressTypeName),
            ],
        ignored: ElasticsearchParameters.ignored,
        sections: [BufferSection.declaration, SecondarySection.declaration],
        examples: [
            "<match istio.**>\n  @type elasticsearch_data_stream\n"
                + "  data_stream_name istio-access\n</match>"
        ])

    let connection: ElasticsearchConnection
    let documents: DocumentOptions

    /// Fluentd's own policy: a new backing index at 50 GB or after 30 days.
    private static let standardPolicy = """
        {"policy":{"phases":{"hot":{"actions":{"rollover":{"max_size":"50gb","max_age":"30d"}}}}}}
        """

    /// Reads the section; mistakes that only several parameters show are thrown.
    init(_ section: Section) throws(SectionError) {
        let name = section[P.name]
        try Self.check(name, section)
        var connection = try ElasticsearchSection.connection(section)
        var documents = DocumentOptions()
        documents.index = .name(name)
        documents.includesIndexInURL = true
        documents.includesTimestamp = true
        documents.operation = .create
        try ElasticsearchSection.readCommon(section, &documents)
        self.documents = documents
        let ilm = section[P.ilmName].isEmpty ? "${index}_policy" : section[P.ilmName]
        let template =
            section[P.templateName].isEmpty ? "${index}_template" : section[P.templateName]
        let policy = section[P.policy].isEmpty ? Self.standardPolicy : section[P.policy]
        guard JSONValueReader.value(of: policy) != nil else {
            throw SectionError(
                section.location(of: P.policy), "the life-cycle policy is not JSON",
                help: "write it as Elasticsearch takes it: `{\"policy\": …}`")
        }
        connection.preparations = [
            IndexPreparation(
                path: "/_ilm/policy/\(ilm)", body: policy, overwrites: section[P.overwrite]),
            IndexPreparation(
                path: "/_index_template/\(template)",
                body: "{\"index_patterns\":[\"${index}*\"],\"data_stream\":{},\"template\":"
                    + "{\"settings\":{\"index.lifecycle.name\":\"\(ilm)\"}}}"),
            IndexPreparation(path: "/_data_stream/${index}", body: nil),
        ]
        self.connection = connection
    }

    private static func check(_ name: String, _ section: Section) throws(SectionError) {
        let plain = name.replacing("${", with: "")
        let isSound =
            plain == plain.lowercased() && plain.utf8.count <= 255
            && !plain.contains { " \\/*?\"<>|,#:".contains($0) }
            && plain != "." && plain != ".." && !plain.hasPrefix("-") && !plain.hasPrefix("_")
            && !plain.hasPrefix("+")
        guard isSound else {
            throw SectionError(
                section.location(of: P.name), "`\(name)` is not a name for a data stream",
                help: "write lower case, at most 255 bytes, none of `\\ / * ? \" < > | , # :`, "
                    + "not beginning with `-`, `_` or `+`")
        }
    }
}
