import WeirConfig
import WeirMetrics

/// Labels that a section gives every series or alert.
public enum FixedLabels {
    /// The labels that a section such as `<external_labels>` gives every series.
    public static func read(
        _ section: Section?, hostName: String
    ) throws(SectionError) -> [Label] {
        var labels: [Label] = []
        for attribute in section?.element.attributes ?? [] {
            guard MetricName.isValidLabel(attribute.name), !attribute.name.hasPrefix("__"),
                attribute.name != "le"
            else {
                throw SectionError(
                    attribute.location,
                    "`\(attribute.name)` is not the name of a label that every series can have",
                    help: "use letters, digits and `_`; begin with no digit and no `__`; "
                        + "`le` is of histograms")
            }
            let template: LabelTemplate
            do {
                template = try LabelTemplate(attribute.value.string, hostName: hostName)
            } catch {
                throw SectionError(attribute.valueLocation, error.message, help: error.help)
            }
            guard let value = template.constant, !value.isEmpty else {
                throw SectionError(
                    attribute.valueLocation,
                    "the label `\(attribute.name)` has no value that is always the same",
                    help: "write a text or `${hostname}`")
            }
            labels.append(Label(attribute.name, value))
        }
        return labels
    }
}
