import WeirConfig
import WeirCore
import WeirHost

/// The templates that a `<match>` of `@type elasticsearch` puts before its first document.
enum ElasticsearchTemplates {
    private enum P {
        static let name = Parameter.text("template_name", default: "", "The template's name.")
        static let file = Parameter.text("template_file", default: "", "The template's file.")
        static let templates = Parameter.map(
            "templates", default: [:], "Names of templates and their files.")
        static let overwrite = Parameter.flag(
            "template_overwrite", default: false, "Whether a template that is there is replaced.")
        static let customize = Parameter.map(
            "customize_template", default: [:], "Texts of the file, and what takes their place.")
        static let legacy = Parameter.flag(
            "use_legacy_template", default: true,
            "Whether it is a legacy template, not a composable one.")
        static let retries = Parameter.integer(
            "max_retry_putting_template", default: 10,
            "Accepted: a template is tried as long as the documents that need it.")
        static let fails = Parameter.flag(
            "fail_on_putting_template_retry_exceed", default: true,
            "Accepted: a template is tried as long as the documents that need it.")
    }

    static let parameters: [AnyParameter] = [
        AnyParameter(P.name), AnyParameter(P.file), AnyParameter(P.templates),
        AnyParameter(P.overwrite), AnyParameter(P.customize), AnyParameter(P.legacy),
        AnyParameter(P.retries), AnyParameter(P.fails),
    ]

    /// What a section asks to be put.
    static func preparations(_ section: Section) throws(SectionError) -> [IndexPreparation] {
        var files = section[P.templates].sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        if section.isSet(P.name) != section.isSet(P.file) {
            throw SectionError(
                section.element.location, "`template_name` and `template_file` belong together",
                help: "write both, or neither")
        }
        if section.isSet(P.name) { files.append((section[P.name], section[P.file])) }
        let folder = section[P.legacy] ? "_template" : "_index_template"
        var preparations: [IndexPreparation] = []
        for (name, file) in files {
            guard let bytes = AtomicFile.read(file, limit: 1 << 20) else {
                throw SectionError(
                    section.location(of: P.file), "the template \(file) cannot be read",
                    help: "give the path of a file that Weir may read")
            }
            var text = String(decoding: bytes, as: UTF8.self)
            for (old, new) in section[P.customize].sorted(by: { $0.key < $1.key }) {
                text = text.replacing(old, with: new)
            }
            guard let value = JSONValueReader.value(of: text), case .object = value else {
                throw SectionError(
                    section.location(of: P.file), "the template \(file) is not a JSON object",
                    help: "mend the file, or `customize_template`")
            }
            preparations.append(
                IndexPreparation(
                    path: "/\(folder)/\(name)", body: JSONValueWriter.text(value),
                    overwrites: section[P.overwrite]))
        }
        return preparations
    }
}
