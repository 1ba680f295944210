import WeirAlerts
import WeirConfig
import WeirCore
import WeirHost

/// What a `<notify> @type webhook` says.
struct WebhookSettings: Sendable {
    private enum P {
        static let url = Parameter.text("url", "The address that notifications are posted to.")
            .secret
        static let groupBy = Parameter.list(
            "group_by", default: ["alertname"],
            "Labels whose values make a group that is told of together; `...` tells of each alert alone."
        )
        static let groupWait = Parameter.duration(
            "group_wait", default: .zero, "How long a new group waits for more alerts.")
        static let groupInterval = Parameter.duration(
            "group_interval", default: .seconds(300),
            "How long changes of a group wait after it was told of.")
        static let repeatInterval = Parameter.duration(
            "repeat_interval", default: .seconds(4 * 3_600),
            "After how long a group is told of again that did not change.")
        static let sendResolved = Parameter.flag(
            "send_resolved", default: true, "Whether the end of alerts is told.")
        static let maxAlerts = Parameter.integer(
            "max_alerts", default: 0, in: 0...NotificationGroups.alertLimit,
            "Most alerts of a notification; 0 for any number.")
        static let matchers = Parameter.text(
            "matchers", default: "",
            "The alerts that are told of, as Alertmanager's matchers: `severity=\"critical\", team=~\"a|b\"`."
        )
        static let bodyFile = Parameter.text(
            "body_template_file", default: "",
            "A template of the body, in place of Alertmanager's version 4.")
        static let bodyValues = Parameter.map(
            "body_template_values", default: [:],
            "Texts for the template, such as `{\"routing_key\":\"…\"}`: `{{ .Values.routing_key }}`."
        ).secret
        static let contentType = Parameter.text(
            "content_type", default: "application/json", "The type of the body.")
        static let headers = Parameter.map(
            "custom_headers", default: [:], "Headers added to every request.")
        static let secretFile = Parameter.text(
            "hmac_secret_file", default: "",
            "A file of a secret that bodies are signed with, by HMAC-SHA256.")
        static let signatureHeader = Parameter.text(
            "signature_header", default: "X-Weir-Signature-256",
            "The header of the signature; its value is `sha256=` and 64 hexadecimal digits.")
        static let queueLimit = Parameter.size(
            "queue_limit_size", default: 64 << 20,
            "Most bytes of notifications that wait; beyond it the oldest go.")
    }

    /// The component as users see it.
    static let declaration = ComponentDeclaration(
        .notifier, type: "webhook", "Posts alerts to a web address, as an Alertmanager does.",
        parameters: [
            AnyParameter(P.url), AnyParameter(P.groupBy), AnyParameter(P.groupWait),
            AnyParameter(P.groupInterval), AnyParameter(P.repeatInterval),
            AnyParameter(P.sendResolved), AnyParameter(P.maxAlerts), AnyParameter(P.matchers),
            AnyParameter(P.bodyFile), AnyParameter(P.bodyValues), AnyParameter(P.contentType),
            AnyParameter(P.headers),
            AnyParameter(P.secretFile), AnyParameter(P.signatureHeader),
            AnyParameter(P.queueLimit),
        ] + NotifierConnection.parameters,
        examples: [
            """
            <notify>
              @type webhook
              url http://chat.example.org/hooks/alerts
              group_by alertname, cluster
            </notify>
            """
        ])

    /// Where notifications go.
    let url: String
    /// When and what is told.
    let groups: NotificationGroups.Options
    /// The body, if it is not Alertmanager's.
    let template: NotificationTemplate?
    /// Headers of every request.
    let headers: [String]
    /// What bodies are signed with, and the header for it.
    let signature: (header: String, signature: MessageSignature)?
    /// Most bytes of notifications that wait.
    let queueByteLimit: Int

    /// What a section says.
    init(_ section: Section) throws(SectionError) {
        url = try NotifierConnection.address(section[P.url], at: section.location(of: P.url))
        var groups = NotificationGroups.Options()
        groups.groupsByAll = section[P.groupBy].contains("...")
        groups.groupBy = section[P.groupBy]
        groups.groupWait = section[P.groupWait].milliseconds
        groups.groupInterval = max(section[P.groupInterval].milliseconds, 100)
        groups.repeatInterval = max(section[P.repeatInterval].milliseconds, 100)
        groups.sendsResolved = section[P.sendResolved]
        groups.alertLimit = section[P.maxAlerts]
        groups.matchers = try AlertMatcher.read(
            section[P.matchers], at: section.location(of: P.matchers))
        self.groups = groups
        template = try Self.template(section)
        var headers = ["Content-Type: \(section[P.contentType])"]
        for (name, value) in section[P.headers].sorted(by: { $0.key < $1.key }) {
            headers.append("\(name): \(value)")
        }
        guard !headers.contains(where: { $0.utf8.contains { $0 < 0x20 } }) else {
            throw SectionError(
                section.location(of: P.headers), "a header is of one line",
                help: "remove the line break")
        }
        self.headers = headers
        signature = try Self.signature(section)
        queueByteLimit = max(section[P.queueLimit], 1 << 16)
    }

    private static func template(_ section: Section) throws(SectionError) -> NotificationTemplate? {
        let path = section[P.bodyFile]
        guard !path.isEmpty else { return nil }
        guard let bytes = AtomicFile.read(path, limit: 1 << 20) else {
            throw SectionError(
                section.location(of: P.bodyFile), "`\(path)` cannot be read",
                help: "write the path of a template of at most 1 MiB")
        }
        do throws(TemplateError) {
            return try NotificationTemplate(
                String(decoding: bytes, as: UTF8.self), values: section[P.bodyValues])
        } catch {
            throw SectionError(
                section.location(of: P.bodyFile), "\(path):\(error)", help: "mend the template")
        }
    }

    private static func signature(
        _ section: Section
    ) throws(SectionError) -> (header: String, signature: MessageSignature)? {
        let path = section[P.secretFile]
        guard !path.isEmpty else { return nil }
        var secret = AtomicFile.read(path, limit: 1 << 16) ?? []
        while let last = secret.last, last == 0x0a || last == 0x0d { secret.removeLast() }
        guard !secret.isEmpty else {
            throw SectionError(
                section.location(of: P.secretFile), "there is no secret in `\(path)`",
                help: "write the path of a file that holds the secret and can be read")
        }
        let header = section[P.signatureHeader]
        let isName = !header.isEmpty && header.utf8.allSatisfy { 0x21..<0x7f ~= $0 && $0 != 0x3a }
        guard isName else {
            throw SectionError(
                section.location(of: P.signatureHeader), "`\(header)` is no name of a header",
                help: "write a name such as X-Weir-Signature-256")
        }
        return (header, MessageSignature(secret: secret))
    }

    /// The body of a notification, and why it is not the one that was wished for.
    func body(
        of notification: Notification, externalURL: String
    ) -> (bytes: [UInt8], problem: TemplateError?) {
        var problem: TemplateError?
        if let template {
            do throws(TemplateError) {
                return (Array(try template.text(of: notification, externalURL).utf8), nil)
            } catch {
                problem = error
            }
        }
        var body = ByteBuffer(capacity: 4_096)
        WebhookBody.append(notification, externalURL: externalURL, to: &body)
        return (Array(body.bytes), problem)
    }
}

extension AlertMatcher {
    /// The matchers of a parameter.
    public static func read(
        _ text: String, at location: SourceLocation
    ) throws(SectionError) -> [AlertMatcher] {
        do throws(AlertMatcherError) {
            return try parse(text)
        } catch {
            throw SectionError(
                location, "\(error.message), at character \(error.column)",
                help: "write matchers as Alertmanager does: severity=\"critical\", team=~\"a|b\"")
        }
    }
}
