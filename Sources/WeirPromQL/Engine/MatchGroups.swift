// Hot path: once per series of a binary expression.

/// The one side's series by the labels that count, and what has become of each group.
struct MatchGroups {
    private let projection: LabelProjection
    private let stepCount: Int
    private var table = LabelSetTable()
    /// Each group's first series by its place, -1 where there is none.
    private var firsts: ContiguousArray<Int> = []
    /// The further series of a group: few groups have any.
    private var others: [Int: [Int]] = [:]
    /// Each group's newest result, and for each result the one before it in its group; -1 for none.
    private var newest: ContiguousArray<Int> = []
    private var former: ContiguousArray<Int> = []
    /// At which steps a group has found a partner, whether or not a filter lets it through.
    private var paired: ContiguousArray<Bool> = []
    /// At which steps a series of the many side was there.
    private var matched: ContiguousArray<Bool> = []

    init(_ projection: LabelProjection, _ steps: Steps) {
        self.projection = projection
        stepCount = steps.count
    }

    /// How many groups there are.
    var count: Int { table.count }

    /// The labels of a group.
    func labels(of group: Int) -> LabelSet { table.sets[group] }

    /// The group of some labels, which is made if there is none.
    mutating func place(of labels: LabelSet) -> Int {
        let (group, isNew) = table.place(of: labels, by: projection)
        if isNew {
            firsts.append(-1)
            newest.append(-1)
        }
        return group
    }

    /// The group of some labels, if there is one.
    func existingPlace(of labels: LabelSet) -> Int? {
        table.existingPlace(of: labels, by: projection)
    }

    // MARK: Members

    /// Adds a series of the one side.
    mutating func add(_ place: Int, _ labels: LabelSet) {
        let group = self.place(of: labels)
        if firsts[group] < 0 {
            firsts[group] = place
        } else {
            others[group, default: []].append(place)
        }
    }

    /// How many series a group has.
    func memberCount(of group: Int) -> Int {
        if firsts[group] < 0 { return 0 }
        return others.isEmpty ? 1 : 1 + (others[group]?.count ?? 0)
    }

    /// The place of a group's series.
    func member(_ number: Int, of group: Int) -> Int {
        number == 0 ? firsts[group] : others[group]?[number - 1] ?? firsts[group]
    }

    /// The groups with more than one series.
    var crowded: [Int] { others.keys.sorted() }

    // MARK: Partners

    /// Notes the partners of a one-to-one match.
    /// - Throws: Where a group has a partner already.
    mutating func pair(
        _ many: SeriesRow, _ ones: [SeriesRow], _ group: Int
    ) throws(QueryError) {
        let memberCount = memberCount(of: group)
        let base = group * stepCount
        while paired.count < base + stepCount { paired.append(false) }
        for step in 0..<stepCount where many.isPresent(at: step) {
            let hasPartner = (0..<memberCount).contains { number in
                ones[member(number, of: group)].isPresent(at: step)
            }
            guard hasPartner else { continue }
            if paired[base + step] {
                throw QueryError(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                )
            }
            paired[base + step] = true
        }
    }

    /// Notes at which steps a series of the many side is there.
    mutating func markMatched(_ many: SeriesRow, _ group: Int) {
        let base = group * stepCount
        while matched.count < base + stepCount { matched.append(false) }
        for step in 0..<stepCount where many.isPresent(at: step) { matched[base + step] = true }
    }

    /// Whether a series of the many side was there.
    func isMatched(_ group: Int, _ step: Int) -> Bool {
        let place = group * stepCount + step
        return place < matched.count && matched[place]
    }

    // MARK: Results

    /// The place of a group's newest result.
    func newestResult(of group: Int) -> Int? { newest[group] < 0 ? nil : newest[group] }

    /// The place of the result before one, in its group.
    func resultBefore(_ place: Int) -> Int? { former[place] < 0 ? nil : former[place] }

    /// Notes one more result of a group, in the order of all results.
    mutating func noteResult(of group: Int) {
        former.append(newest[group])
        newest[group] = former.count - 1
    }
}
