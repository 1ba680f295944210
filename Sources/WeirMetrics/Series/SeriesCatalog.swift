import Synchronization
import WeirCore

/// The groups of one configuration: no two of them may show lines of the same name.
///
/// A configuration that takes the place of another is built while the other runs. Groups that are
/// declared alike in both go on with their series; the others come and go with ``activate()``.
public final class SeriesCatalog: Sendable {
    /// Names that Weir's own metrics begin with.
    static let reservedPrefix = "weir_"

    /// Where the groups are shown, and where they tell of their limits.
    public let registry: Registry
    private let groups = Mutex<[SeriesGroup]>([])
    private let preparations = Mutex<[@Sendable (_ now: Timestamp) -> Void]>([])

    /// A catalogue without groups.
    public init(registry: Registry) {
        self.registry = registry
    }

    /// The group of a declaration; filters that declare the same share it.
    public func group(
        _ declaration: SeriesGroup.Declaration
    ) throws(MetricConflict) -> SeriesGroup {
        try declaration.check()
        let result: Result<SeriesGroup, MetricConflict> = groups.withLock { groups in
            if let group = groups.first(where: { $0.declaration == declaration }) {
                return .success(group)
            }
            if let conflict = Self.conflict(declaration, groups) { return .failure(conflict) }
            if let running = registry.group(like: declaration) {
                groups.append(running)
                return .success(running)
            }
            do throws(MetricConflict) {
                let group = try SeriesGroup(
                    declaration, total: registry.seriesBudget, registry: registry)
                groups.append(group)
                return .success(group)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Shows the catalogue's groups, and no others any more.
    public func activate() {
        registry.show(
            Registry.Shown(
                groups: groups.withLock { $0 }, preparations: preparations.withLock { $0 }))
    }

    /// Calls `body` before every scrape, once the catalogue is shown: to set gauges.
    public func beforeScrape(_ body: @escaping @Sendable (_ now: Timestamp) -> Void) {
        preparations.withLock { $0.append(body) }
    }

    /// The groups, in the order in which they were declared.
    public var all: [SeriesGroup] { groups.withLock { $0 } }

    /// Forgets origins that will not come again, in every shard that counted events of theirs.
    public func forget(_ origins: [CountedOrigin]) {
        for group in all {
            for shard in group.shards {
                shard.withTable { table in for origin in origins { table.forget(origin) } }
            }
        }
    }

    private static func conflict(
        _ declaration: SeriesGroup.Declaration, _ groups: [SeriesGroup]
    ) -> MetricConflict? {
        for family in declaration.families {
            if family.name.hasPrefix(reservedPrefix) {
                return MetricConflict(
                    "`\(family.name)` begins with `\(reservedPrefix)`",
                    help: "choose another name: these are Weir's own metrics")
            }
            for other in groups.flatMap(\.declaration.families) {
                guard let name = family.sampleNames.first(where: other.sampleNames.contains) else {
                    continue
                }
                if other.name == family.name {
                    return MetricConflict(
                        "there is already a metric `\(name)` with another type, help or labels",
                        help: "rename one of them, or declare both alike")
                }
                return MetricConflict(
                    "`\(family.name)` and `\(other.name)` both have lines called `\(name)`",
                    help: "rename one of them")
            }
        }
        return nil
    }
}
