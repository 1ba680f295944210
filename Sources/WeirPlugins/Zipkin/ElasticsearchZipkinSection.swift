import WeirConfig
import WeirCore

/// What a `<match>` of `@type elasticsearch_zipkin` means: spans in the shape of Zipkin's own
/// storage (`zipkin2.elasticsearch.VersionSpecificTemplates`).
struct ElasticsearchZipkinSection {
    private enum P {
        static let prefix = Parameter.text(
            "index_prefix", default: "zipkin", "What index names begin with (Zipkin's `ES_INDEX`).")
        static let separator = Parameter.text(
            "date_separator", default: "-",
            "What stands within an index's date (Zipkin's `ES_DATE_SEPARATOR`).")
        static let shards = Parameter.integer(
            "index_shards", default: 5, in: 1...1_000, "Shards of an index.")
        static let replicas = Parameter.integer(
            "index_replicas", default: 1, in: 0...100, "Copies of each shard.")
        static let search = Parameter.flag(
            "search_enabled", default: true, "Whether spans have the fields that search needs.")
        static let strict = Parameter.flag(
            "strict_trace_id", default: true,
            "Whether ids of 64 and 128 bits are told apart; false where both are mixed.")
        static let priority = Parameter.integer(
            "template_priority", default: -1, in: -1...Int(Int32.max),
            "The priority of composable templates; -1 for legacy ones.")
    }

    /// The component as users see it.
    static let declaration = ComponentDeclaration(
        .output, type: "elasticsearch_zipkin",
        "Stores spans in Elasticsearch as Zipkin does, for Zipkin's UI and Kibana.",
        parameters: [
            AnyParameter(P.prefix), AnyParameter(P.separator), AnyParameter(P.shards),
            AnyParameter(P.replicas), AnyParameter(P.search), AnyParameter(P.strict),
            AnyParameter(P.priority),
        ] + ElasticsearchParameters.connection,
        ignored: ElasticsearchParameters.ignored,
        sections: [BufferSection.declaration, SecondarySection.declaration],
        examples: [
            "<match zipkin.**>\n  @type elasticsearch_zipkin\n  host elasticsearch\n</match>"
        ])

    let connection: ElasticsearchConnection
    let documents: SpanDocumentEncoder.Options

    /// Reads the section; mistakes that only several parameters show are thrown.
    init(_ section: Section, node: String) throws(SectionError) {
        let prefix = section[P.prefix]
        let isName =
            !prefix.isEmpty && prefix == prefix.lowercased()
            && prefix.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !Self.forbidden.contains($0) }
        guard isName else {
            throw SectionError(
                section.location(of: P.prefix), "`\(prefix)` cannot begin an index's name",
                help: "use small letters, digits, `-` and `_`")
        }
        var connection = try ElasticsearchSection.connection(section)
        var documents = SpanDocumentEncoder.Options()
        documents.prefix = prefix
        documents.dateSeparator = section[P.separator]
        documents.isSearchable = section[P.search]
        documents.node = node
        let pipeline = section[ElasticsearchParameters.pipeline]
        documents.pipeline = pipeline.isEmpty ? nil : pipeline
        connection.preparations = Self.templates(section)
        self.connection = connection
        self.documents = documents
    }

    /// What no index's name may contain.
    private static let forbidden = Array(#"\/*?"<>|,#:"#.utf8)

    // MARK: Templates

    private static func templates(_ section: Section) -> [IndexPreparation] {
        let keyword = #"{"type":"keyword","norms":false}"#
        let mappings = [
            (
                "span",
                section[P.search] ? spanMapping(section[P.strict], keyword) : unsearchedMapping
            ),
            (
                "autocomplete",
                #"{"enabled":true,"properties":{"tagKey":\#(keyword),"tagValue":\#(keyword)}}"#
            ), ("dependency", #"{"enabled":false}"#),
        ]
        return mappings.map { kind, mapping in
            let name = "\(section[P.prefix])-\(kind)"
            var settings =
                #""index.number_of_shards":\#(section[P.shards]),"#
                + #""index.number_of_replicas":\#(section[P.replicas]),"#
                + #""index.requests.cache.enable":true"#
            if kind == "span", section[P.search], !section[P.strict] { settings += looseAnalysis }
            let parts = #""settings":{\#(settings)},"mappings":\#(mapping)"#
            let patterns = #""index_patterns":"\#(name)-*""#
            guard section[P.priority] >= 0 else {
                return IndexPreparation(
                    path: "/_template/\(name)_template", body: "{\(patterns),\(parts)}")
            }
            return IndexPreparation(
                path: "/_index_template/\(name)_template",
                body: #"{\#(patterns),"template":{\#(parts)},"priority":\#(section[P.priority])}"#)
        }
    }

    private static func spanMapping(_ isStrict: Bool, _ keyword: String) -> String {
        let service =
            #"{"type":"object","dynamic":false,"properties":{"serviceName":\#(keyword)}}"#
        let id =
            isStrict
            ? keyword : #"{"type":"text","fielddata":"true","analyzer":"traceId_analyzer"}"#
        return #"{"_source":{"excludes":["_q"]},"dynamic_templates":[{"strings":{"mapping":"#
            + #"{"type":"keyword","norms":false,"ignore_above":256},"#
            + #""match_mapping_type":"string","match":"*"}}],"properties":{"traceId":\#(id),"#
            + #""name":\#(keyword),"localEndpoint":\#(service),"remoteEndpoint":\#(service),"#
            + #""timestamp_millis":{"type":"date","format":"epoch_millis"},"#
            + #""duration":{"type":"long"},"annotations":{"enabled":false},"#
            + #""tags":{"enabled":false},"_q":\#(keyword)}}"#
    }

    /// Spans that are found by their trace's id only.
    private static let unsearchedMapping =
        #"{"properties":{"traceId":{"type":"keyword","norms":false},"#
        + #""annotations":{"enabled":false},"tags":{"enabled":false}}}"#

    /// Finds an id of 128 bits by its lower half also.
    private static let looseAnalysis =
        #","analysis":{"analyzer":{"traceId_analyzer":{"type":"custom","tokenizer":"keyword","#
        + #""filter":"traceId_filter"}},"filter":{"traceId_filter":{"type":"pattern_capture","#
        + #""patterns":["([0-9a-f]{1,16})$"],"preserve_original":true}}}"#
}
