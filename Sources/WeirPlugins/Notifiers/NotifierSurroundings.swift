/// What notifiers are given to live in, besides what all components are.
public struct NotifierSurroundings: Sendable {
    /// The address under which people reach the agent.
    public var externalURL = ""
    /// The folder that alerts and notifications survive restarts in, if any.
    public var stateFolder: String?
    /// What nobody is to be told of.
    public var mutes = AlertMutes()

    /// No address, no folder, nothing kept silent.
    public init() {}
}
