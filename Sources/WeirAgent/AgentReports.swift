import Logging
import WeirAlerts
import WeirPipeline
import WeirPlugins

/// Puts what happens in components into the log.
struct AgentReports: Sendable {
    private let logger: Logger

    init(_ logger: Logger) {
        self.logger = logger
    }

    func output(_ report: OutputReport) {
        switch report {
        case .retrying(let output, let count, let reason, let after):
            logger.warning(
                "output did not take a chunk; it is sent again",
                metadata: [
                    "output": "\(output)", "events": "\(count)", "reason": "\(reason)",
                    "after": "\(after)",
                ])
        case .recovered(let output):
            logger.info("output takes chunks again", metadata: ["output": "\(output)"])
        case .gaveUp(let output, let count, let reason):
            logger.error(
                "output gave a chunk up",
                metadata: ["output": "\(output)", "events": "\(count)", "reason": "\(reason)"])
        case .droppedOldestChunk(let output, let count):
            logger.error(
                "buffer is full: its oldest chunk was dropped",
                metadata: ["output": "\(output)", "events": "\(count)"])
        case .bufferFile(let output, let path, let problem):
            logger.error(
                "buffer file is in trouble",
                metadata: ["output": "\(output)", "path": "\(path)", "problem": "\(problem)"])
        case .samplesDelayed(let output, let reason, let after):
            logger.warning(
                "receiver did not take samples; they are sent again",
                metadata: [
                    "output": "\(output)", "reason": "\(reason)", "after": "\(after)",
                ])
        case .samplesDropped(let output, let count, let reason):
            logger.error(
                "samples were given up",
                metadata: ["output": "\(output)", "samples": "\(count)", "reason": "\(reason)"])
        }
    }

    func tail(_ report: TailReport) {
        switch report {
        case .unreadable(let path, let reason):
            logger.warning(
                "file cannot be read; it is tried again",
                metadata: ["path": "\(path)", "reason": "\(reason)"])
        case .truncated(let path, let lost):
            logger.log(
                level: lost > 0 ? .error : .info, "file was truncated",
                metadata: ["path": "\(path)", "lost_bytes": "\(lost)"])
        case .badPositionLines(let path, let count):
            logger.warning(
                "position file has lines that are none",
                metadata: ["path": "\(path)", "lines": "\(count)"])
        case .positionsNotWritten(let path, let reason):
            logger.error(
                "positions cannot be written",
                metadata: ["path": "\(path)", "reason": "\(reason)"])
        case .longLine(let path, let count):
            logger.warning(
                "line is longer than max_line_size",
                metadata: ["path": "\(path)", "bytes": "\(count)"])
        }
    }

    func checkpoint(_ report: SeriesCheckpoint.Report) {
        switch report {
        case .restored(let path, let count):
            logger.info(
                "counted series go on where they were",
                metadata: ["path": "\(path)", "label_sets": "\(count)"])
        case .damaged(let path, let count):
            logger.error(
                "counted series are not all there: their file is damaged",
                metadata: ["path": "\(path)", "lost_bytes": "\(count)"])
        case .notWritten(let path, let reason):
            logger.error(
                "counted series cannot be written down; a crash would lose counts",
                metadata: ["path": "\(path)", "reason": "\(reason)"])
        }
    }

    func history(_ path: String, _ report: HistoryFile.Report) {
        switch report {
        case .restored(let series, let samples):
            logger.info(
                "the metrics' history goes on where it was",
                metadata: ["path": "\(path)", "series": "\(series)", "samples": "\(samples)"])
        case .damaged(let lost):
            let lost = lost.map { "\($0)" } ?? "unknown"
            logger.error(
                "the metrics' history is not all there: its file is damaged",
                metadata: ["path": "\(path)", "lost_series": "\(lost)"])
        case .tooLarge:
            logger.error(
                "the metrics' history is not read: its file cannot be read or is too large for `history_memory_limit`",
                metadata: ["path": "\(path)"])
        case .notWritten(let reason):
            logger.error(
                "the metrics' history cannot be written down; a restart would lose it",
                metadata: ["path": "\(path)", "reason": "\(reason)"])
        }
    }

    func scrape(_ report: ScrapeReport) {
        switch report {
        case .failing(let target, let reason):
            logger.warning(
                "a target cannot be scraped",
                metadata: ["target": "\(target)", "reason": "\(reason)"])
        case .recovered(let target):
            logger.info("a target is scraped again", metadata: ["target": "\(target)"])
        case .podsUnknown(let reason):
            logger.warning(
                "this node's pods cannot be listed; those that are known are scraped on",
                metadata: ["reason": "\(reason)"])
        }
    }

    func notifier(_ report: NotifierReport) {
        switch report {
        case .failing(let notifier, let url, let reason):
            logger.error(
                "alerts cannot be told; they are sent again",
                metadata: ["notifier": "\(notifier)", "url": "\(url)", "reason": "\(reason)"])
        case .recovered(let notifier, let url):
            logger.info(
                "alerts are told again", metadata: ["notifier": "\(notifier)", "url": "\(url)"])
        case .refused(let notifier, let url, let reason):
            logger.error(
                "alerts are refused by whoever is told",
                metadata: ["notifier": "\(notifier)", "url": "\(url)", "reason": "\(reason)"])
        case .templateFailed(let notifier, let reason):
            logger.error(
                "a template failed; the notification is sent in Alertmanager's form",
                metadata: ["notifier": "\(notifier)", "reason": "\(reason)"])
        case .journalNotWritten(let notifier, let reason):
            logger.error(
                "notifications cannot be written down; they would be lost with the process",
                metadata: ["notifier": "\(notifier)", "reason": "\(reason)"])
        case .journalDamaged(let notifier, let lostByteCount):
            logger.error(
                "the end of the notifications that were written down is damaged",
                metadata: ["notifier": "\(notifier)", "lost_bytes": "\(lostByteCount)"])
        }
    }

    func rule(_ report: RuleReport) {
        switch report {
        case .failed(let failure, let group):
            logger.warning(
                "a rule cannot be evaluated",
                metadata: [
                    "rule": "\(failure.rule)", "group": "\(group)",
                    "reason": "\(failure.message)",
                ])
        case .notWritten(let path, let reason):
            logger.error(
                "alerts cannot be written down; they would be lost with the process",
                metadata: ["path": "\(path)", "reason": "\(reason)"])
        case .damaged(let path):
            logger.error(
                "alerts that were written down are damaged; they begin as the history has them",
                metadata: ["path": "\(path)"])
        }
    }

    func router(_ report: RouterReport) {
        switch report {
        case .noMatch(let tag, let count):
            logger.warning(
                "no match takes these events",
                metadata: ["tag": "\(tag)", "events": "\(count)"])
        case .refused(let component, let count, let reason):
            logger.warning(
                "component refused events",
                metadata: [
                    "component": "\(component)", "events": "\(count)", "reason": "\(reason)",
                ])
        }
    }

    func deadLetter(_ problem: String) {
        logger.error("events are lost", metadata: ["problem": "\(problem)"])
    }
}
