import WeirConfig
import WeirCore

/// What `istio_metrics` and `istio_fields` have in common: how an access log is to be read.
enum IstioParameters {
    /// Whose view the lines of a log are.
    enum ReporterChoice: String, CaseIterable, Sendable {
        case auto, source, destination, waypoint

        /// The view, or `nil` to tell by each line.
        var reporter: IstioReporter? { IstioReporter(rawValue: rawValue) }
    }

    static let reporter = Parameter<ReporterChoice>.choice(
        "reporter", default: .auto,
        "Whose view the lines are: `auto` tells by each line's cluster, route and server name.")
    static let namespace = Parameter.text(
        "namespace", default: "",
        "The namespace that short host names belong to where the record has no field `namespace`.")
    static let domain = Parameter.text(
        "domain", default: "cluster.local", "The cluster's domain, behind `svc`.")

    static let all = [AnyParameter(reporter), AnyParameter(namespace), AnyParameter(domain)]

    static let fields = SectionDeclaration(
        "fields", takesAnyName: true,
        "Keys of your format that are not called as in Istio's own: `upstream_cluster cluster` "
            + "reads the field `cluster` for Istio's `upstream_cluster`. Names are the keys of "
            + "the access-log format in the documentation.")

    /// What a section says of the log.
    static func options(_ section: Section) throws(SectionError) -> IstioDerivation.Options {
        var options = IstioDerivation.Options()
        options.reporter = section[reporter].reporter
        options.namespace = section[namespace]
        options.domain = section[domain]
        for attribute in section.section("fields")?.element.attributes ?? [] {
            let known = IstioField.allCases.first { $0.keys.contains(attribute.name) }
            guard let known else {
                let names = IstioField.allCases.map { $0.keys[0] }
                throw SectionError(
                    attribute.location, "`\(attribute.name)` is no field of an access log",
                    help: nearest(to: attribute.name, in: names).map { "did you mean `\($0)`?" }
                        ?? "there are \(names.map { "`\($0)`" }.joined(separator: ", "))")
            }
            guard !attribute.value.string.isEmpty else {
                throw SectionError(
                    attribute.location, "`\(attribute.name)` has no key",
                    help: "write the key of your format behind it")
            }
            options.keys[known] = [attribute.value.string]
        }
        return options
    }
}
