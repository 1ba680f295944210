/// The order in which a group's label sets are shown: by their values, as bytes.
struct SeriesOrder {
    /// One label set: where it is, and what it was when the order was made.
    struct Place {
        var shard: UInt32
        var row: UInt32
        var serial: UInt64
    }

    /// The label sets, each once, also where several shards have it.
    var places: [Place] = []
    /// What the shards' populations were.
    var populations: [UInt64] = []
}
