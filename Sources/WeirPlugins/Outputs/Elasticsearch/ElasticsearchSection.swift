import WeirConfig
import WeirCore
import WeirHost
import WeirPipeline

/// What a `<match>` of `@type elasticsearch` means.
struct ElasticsearchSection {
    private typealias P = ElasticsearchParameters

    /// The component as users see it.
    static let declaration = ComponentDeclaration(
        .output, type: "elasticsearch", "Stores events as documents of Elasticsearch.",
        parameters: P.connection + P.index + P.document + ElasticsearchTemplates.parameters,
        ignored: P.ignored,
        sections: [BufferSection.declaration, SecondarySection.declaration],
        examples: [
            "<match istio.**>\n  @type elasticsearch\n  host elasticsearch\n  port 9200\n"
                + "  logstash_format true\n</match>"
        ])

    let connection: ElasticsearchConnection
    let documents: DocumentOptions

    /// Reads the section; mistakes that only several parameters show are thrown.
    init(_ section: Section) throws(SectionError) {
        var connection = try Self.connection(section)
        documents = try Self.documents(section)
        connection.preparations = try ElasticsearchTemplates.preparations(section)
        self.connection = connection
    }

    // MARK: Where

    static func connection(
        _ section: Section
    ) throws(SectionError) -> ElasticsearchConnection {
        var connection = ElasticsearchConnection()
        let credentials = try credentials(section)
        connection.hosts = try hosts(section).map { host in
            var host = host
            if host.authorization == nil { host.authorization = credentials }
            return host
        }
        if !section[P.apiKey].isEmpty {
            let key = Base64.text(of: Array(section[P.apiKey].utf8))
            connection.headers.append("Authorization: ApiKey \(key)")
        }
        connection.headers += try headers(section)
        connection.compression = section[P.compression]
        if section[P.requestThreshold] > 0 {
            connection.requestByteLimit = section[P.requestThreshold]
        }
        connection.client = try tls(section)
        connection.client.requestTimeout = section[P.requestTimeout]
        return connection
    }

    /// How a section with the parameters of ``ElasticsearchParameters/tls`` wants TLS to be spoken.
    static func tls(_ section: Section) throws(SectionError) -> HTTPClientOptions {
        var client = HTTPClientOptions()
        client.verifiesCertificate = section[P.sslVerify]
        client.authorityFile = text(section[P.caFile])
        client.certificateFile = text(section[P.clientCert])
        client.keyFile = text(section[P.clientKey])
        client.keyPassphrase = text(section[P.clientKeyPass])
        let needs13 = section[P.sslVersion] == .tls13 || section[P.sslMinVersion] == .tls13
        client.minimumTLSVersion = needs13 ? .tls13 : .tls12
        client.maximumTLSVersion = section[P.sslMaxVersion] == .tls13 ? .tls13 : .tls12
        guard !needs13 || section[P.sslMaxVersion] == .tls13 else {
            throw SectionError(
                section.location(of: P.sslMaxVersion),
                "`ssl_max_version` is older than the oldest version that is wanted",
                help: "write `ssl_max_version TLSv1_3`, or remove it")
        }
        return client
    }

    /// The lines of `custom_headers`.
    static func headers(_ section: Section) throws(SectionError) -> [String] {
        var lines: [String] = []
        for (name, value) in section[P.customHeaders].sorted(by: { $0.key < $1.key }) {
            guard isHeader(name, value) else {
                throw SectionError(
                    section.location(of: P.customHeaders), "`\(name)` is not a header",
                    help: "a header's name has letters, digits and `-`, its value no line end")
            }
            lines.append("\(name): \(value)")
        }
        return lines
    }

    private static func text(_ value: String) -> String? { value.isEmpty ? nil : value }

    private static func isHeader(_ name: String, _ value: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ":") }
            && value.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x09 }
    }

    /// `Basic …` of user and password.
    static func credentials(_ section: Section) throws(SectionError) -> String? {
        guard section.isSet(P.user) || section.isSet(P.password) else { return nil }
        guard section.isSet(P.user), section.isSet(P.password) else {
            throw SectionError(
                section.element.location, "`user` and `password` belong together",
                help: "write both, or neither")
        }
        return basic(plain(section[P.user]), plain(section[P.password]))
    }

    private static func basic(_ user: String, _ password: String) -> String {
        "Basic " + Base64.text(of: Array("\(user):\(password)".utf8))
    }

    /// `%{text}` asks Fluentd to escape the text for its URL; Weir puts it into a header.
    private static func plain(_ text: String) -> String {
        text.hasPrefix("%{") && text.hasSuffix("}") ? String(text.dropFirst(2).dropLast()) : text
    }

    private static func hosts(
        _ section: Section
    ) throws(SectionError) -> [ElasticsearchConnection.Host] {
        if section.isSet(P.cloudID) { return [try cloudHost(section)] }
        let written = section[P.hosts]
        guard !written.isEmpty else {
            let name =
                section[P.host].contains(":") && !section[P.host].hasPrefix("[")
                ? "[\(section[P.host])]" : section[P.host]
            let url = "\(section[P.scheme].rawValue)://\(name):\(section[P.port])"
            return [ElasticsearchConnection.Host(url: url + pathPrefix(section[P.path]))]
        }
        var hosts: [ElasticsearchConnection.Host] = []
        for text in written {
            guard let host = host(text, section) else {
                throw SectionError(
                    section.location(of: P.hosts), "`\(shown(text))` is not a host",
                    help:
                        "write `host:port`, or a URL such as `https://user:password@host:9200/path`"
                )
            }
            hosts.append(host)
        }
        return hosts
    }

    /// A URL without its password.
    private static func shown(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        return "…" + url[at...]
    }

    private static func pathPrefix(_ path: String) -> String {
        let parts = path.split(separator: "/")
        return parts.isEmpty ? "" : "/" + parts.joined(separator: "/")
    }

    private static func host(
        _ text: String, _ section: Section
    ) -> ElasticsearchConnection.Host? {
        var scheme = section[P.scheme].rawValue
        var rest = Substring(text)
        var path = section[P.path]
        let isURL = text.firstRange(of: "://") != nil
        if let mark = text.firstRange(of: "://") {
            scheme = String(text[..<mark.lowerBound])
            rest = text[mark.upperBound...]
        }
        guard scheme == "http" || scheme == "https" else { return nil }
        var authorization: String?
        if let slash = rest.firstIndex(of: "/") {
            path = String(rest[slash...])
            rest = rest[..<slash]
        }
        if let at = rest.lastIndex(of: "@") {
            let pieces = rest[..<at].split(separator: ":", maxSplits: 1).map(String.init)
            guard pieces.count == 2 else { return nil }
            authorization = basic(unescaped(pieces[0]), unescaped(pieces[1]))
            rest = rest[rest.index(after: at)...]
        }
        var name = String(rest)
        let hasPort = name.hasSuffix("]") ? false : name.contains(":")
        if !hasPort { name += isURL ? (scheme == "https" ? ":443" : ":80") : ":\(section[P.port])" }
        guard let colon = name.lastIndex(of: ":"), colon > name.startIndex,
            let port = Int(name[name.index(after: colon)...]), port > 0, port < 65_536,
            name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        return ElasticsearchConnection.Host(
            url: "\(scheme)://\(name)\(pathPrefix(path))", authorization: authorization)
    }

    /// A text with `%41` read as `A`.
    private static func unescaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"),
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func cloudHost(
        _ section: Section
    ) throws(SectionError) -> ElasticsearchConnection.Host {
        let pieces = section[P.cloudID].split(separator: ":", maxSplits: 1).map(String.init)
        let parts = pieces.count == 2 ? Base64.bytes(of: pieces[1]) : nil
        let names = parts?.split(separator: UInt8(ascii: "$")).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard let names, names.count >= 2 else {
            throw SectionError(
                section.location(of: P.cloudID), "`cloud_id` is not that of a deployment",
                help: "copy it whole from the deployment's page: `name:base64`")
        }
        var host = ElasticsearchConnection.Host(url: "https://\(names[1]).\(names[0]):443")
        let login = section[P.cloudAuth].split(separator: ":", maxSplits: 1).map(String.init)
        if login.count == 2 { host.authorization = basic(login[0], login[1]) }
        return host
    }

    // MARK: Documents

    private static func documents(_ section: Section) throws(SectionError) -> DocumentOptions {
        var options = DocumentOptions()
        if section[P.logstashFormat] {
            options.index = .logstash(
                prefix: section[P.logstashPrefix], separator: section[P.logstashSeparator],
                dateFormat: section[P.logstashDate])
        } else {
            options.index = .name(section[P.indexName])
        }
        options.usesUTCIndex = section[P.utcIndex]
        options.targetIndexKey = fieldPath(set: section[P.targetIndexKey])
        options.includesIndexInURL = section[P.includeIndexInURL]
        if !section[P.targetTypeKey].isEmpty {
            options.removedKeys.append(section[P.targetTypeKey])
        }
        let isKnown = section[P.verifyVersion] && !section.isSet(P.defaultVersion)
        if !section[P.suppressTypeName], !isKnown, section[P.defaultVersion] < 8 {
            options.typeName = section[P.defaultVersion] == 7 ? "_doc" : section[P.typeName]
        }
        options.includesTimestamp = section[P.logstashFormat] || section[P.includeTimestamp]
        options.operation = section[P.writeOperation]
        options.operationIsChosen = section.isSet(P.writeOperation)
        options.keysKeptOnUpdate = section[P.removeKeysOnUpdate]
        options.keptOnUpdateKey = text(section[P.removeKeysOnUpdateKey])
        options.suppressesDocumentWrap = section[P.suppressDocWrap]
        try readCommon(section, &options)
        return options
    }

    /// What documents of indices and of data streams have in common.
    static func readCommon(
        _ section: Section, _ options: inout DocumentOptions
    ) throws(SectionError) {
        options.timeKey = text(section[P.timeKey])
        if !section[P.timeKeyFormat].isEmpty {
            do {
                options.timeKeyFormat = try TimeFormat(section[P.timeKeyFormat])
            } catch {
                throw SectionError(
                    section.location(of: P.timeKeyFormat), error.message, help: error.help)
            }
        }
        options.timePrecision = section[P.timePrecision]
        options.leavesOutTimestamp = section[P.timeKeyExclude]
        options.timeParseErrorTag = section[P.timeParseErrorTag]
        options.tagKey = section[P.includeTagKey] ? section[P.tagKey] : nil
        options.removedKeys += section[P.removeKeys]
        options.pipeline = text(section[P.pipeline])
        options.flatSeparator = section[P.flattenHashes] ? section[P.flattenSeparator] : nil
        options.idPath = fieldPath(set: section[P.idKey])
        options.parentPath = fieldPath(set: section[P.parentKey])
        options.routingPath = fieldPath(set: section[P.routingKey])
        options.refusesMissingID = section[P.emitErrorForMissingID]
        options.timeZone = .local
    }

    private static func fieldPath(set text: String) -> [String]? {
        text.isEmpty ? nil : WeirPlugins.fieldPath(text)
    }
}
