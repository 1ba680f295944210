import WeirCore

/// Reads the lines of a batch into events: one per log format.
///
/// A parser belongs to one thread: it may keep what it learnt from former lines.
public protocol LineParser: AnyObject {
    /// Reads every line of `batch.lines` into rows, or notes why it gave none.
    ///
    /// Rows come in the order of their lines. A parser may move the block's bytes and cut
    /// `batch.lines` anew (as `cri` does when it joins partial lines), but each line keeps the
    /// position in its file. A parser of events with several lines sets `unfinishedPosition` where
    /// the last event began that may go on behind the block, unless the batch `endsInput`.
    /// - Parameter now: The time of events whose lines do not tell theirs.
    func parse(into batch: EventBatch, now: Timestamp)
}
