/// A remark about a configuration: where, what, and how to mend it.
public struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
    /// How grave the remark is.
    public enum Severity: String, Sendable {
        /// The configuration is refused.
        case error
        /// The configuration runs, but somebody should know.
        case warning
        /// A parameter that Weir accepts and does not need.
        case note
    }

    /// How grave it is.
    public var severity: Severity
    /// Where.
    public var location: SourceLocation
    /// What is wrong.
    public var message: String
    /// How to mend it.
    public var help: String

    /// A remark by its parts.
    public init(
        _ severity: Severity = .error, at location: SourceLocation, _ message: String, help: String
    ) {
        self.severity = severity
        self.location = location
        self.message = message
        self.help = help
    }

    public var description: String {
        let kind = severity == .error ? "" : "\(severity.rawValue): "
        return "\(location): \(kind)\(message)\n  help: \(help)"
    }
}

/// All mistakes of a configuration, so that a user mends them in one go.
public struct ConfigurationError: Error, CustomStringConvertible, Sendable {
    /// The mistakes in the order of the file.
    public var diagnostics: [Diagnostic]

    /// An error of these mistakes.
    public init(_ diagnostics: [Diagnostic]) {
        self.diagnostics = diagnostics
    }

    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

extension [Diagnostic] {
    /// Whether one of them is an error.
    public var hasErrors: Bool { contains { $0.severity == .error } }
}
