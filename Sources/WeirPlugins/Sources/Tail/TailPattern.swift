import WeirCore
import WeirHost

/// Paths as users write them: with dates and wildcards.
struct TailPattern {
    /// The pattern with its dates filled in.
    let text: String
    /// Whether it has wildcards.
    let isGlob: Bool

    init(_ pattern: String, at time: Timestamp, _ options: TailOptions) {
        text =
            pattern.contains("%")
            ? TimeFormat.text(of: time, format: pattern, zone: options.pathZone) : pattern
        let characters =
            switch options.globPolicy {
            case .backwardCompatible: "*"
            case .extended: "*?["
            case .always: "*?[{"
            }
        isGlob = text.contains { characters.contains($0) }
    }

    /// The paths that it stands for now.
    var paths: [String] { isGlob ? FileNames.matching(text) : [text] }

    /// Whether a path is one of them.
    func names(_ path: String) -> Bool {
        isGlob ? FileNames.pattern(text, names: path) : text == path
    }
}
