import WeirCore
import WeirHost
import WeirMetrics
import WeirPipeline
import WeirPromQL

/// One thing that is scraped, again and again. Belongs to one thread at a time.
final class ScrapeTarget {
    /// Where it is, and the labels that say which one it is.
    struct Place: Hashable, Sendable {
        var url: String
        var labels: [String: String]
    }

    /// What became of a scrape.
    enum Outcome: Equatable {
        case done
        case failed(String)
    }

    private static let accept =
        "Accept: application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5"

    let place: Place
    private let section: ScrapeSection
    private var feed: ScrapeFeed?
    private var store: SampleStore?
    private var lastTime: Int64?
    /// Whether the last scrape failed, so that each change is told once.
    var hasFailed = false

    init(_ place: Place, _ section: ScrapeSection) {
        self.place = place
        self.section = section
    }

    /// Scrapes once.
    /// - Parameters:
    ///   - store: Where the samples go.
    ///   - now: The time of day.
    ///   - seconds: Seconds that have passed since then.
    func scrape(
        into store: SampleStore, _ client: HTTPClient, now: Timestamp, _ counters: SampleCounters,
        seconds: () -> Double
    ) -> Outcome {
        let feed = feed(of: store)
        let time = steadied(now.millisecondsSince1970)
        var failure: String
        do throws(HTTPError) {
            var headers = section.headers + [Self.accept, "Accept-Encoding: gzip"]
            if let path = section.tokenFile, let token = Self.token(path) {
                headers.append("Authorization: Bearer \(token)")
            }
            let answer = try client.send(
                "GET", place.url, headers: headers,
                body: UnsafeRawBufferPointer(start: nil, count: 0))
            if answer.status == 200 {
                if let problem = take(answer, client, feed, time, seconds(), counters) {
                    failure = problem
                } else {
                    return .done
                }
            } else {
                failure = "status \(answer.status)"
            }
        } catch {
            failure = "\(error)"
        }
        counters.note(feed.fail(at: time, seconds: seconds()))
        return .failed(failure)
    }

    /// Ends the target's series: it is not scraped any more.
    func end(now: Timestamp, _ counters: SampleCounters) {
        if let report = feed?.end(at: now.millisecondsSince1970) { counters.note(report) }
    }

    private func feed(of store: SampleStore) -> ScrapeFeed {
        if let feed, self.store === store { return feed }
        var options = section.series
        options.labels["job"] = options.labels["job"] ?? section.job
        for (name, value) in place.labels { options.labels[name] = options.labels[name] ?? value }
        let made = ScrapeFeed(store, options)
        (feed, self.store) = (made, store)
        return made
    }

    /// The time, or that of a steady interval where it is a few milliseconds beside it: differences that are
    /// always the same take less memory (Prometheus: scrape, `ScrapeTimestampTolerance`).
    private func steadied(_ now: Int64) -> Int64 {
        defer { lastTime = now }
        guard let lastTime else { return now }
        let wanted = lastTime + section.interval.nanoseconds.milliseconds
        guard abs(now - wanted) <= 2 else { return now }
        self.lastTime = wanted
        return wanted
    }

    /// Takes an answer.
    /// - Returns: Why it cannot be.
    private func take(
        _ answer: HTTPAnswer, _ client: HTTPClient, _ feed: ScrapeFeed, _ time: Int64,
        _ seconds: Double, _ counters: SampleCounters
    ) -> String? {
        let isOpenMetrics =
            answer.headers["content-type"]?.hasPrefix("application/openmetrics-text") ?? false
        func take(_ text: UnsafeRawBufferPointer) -> String? {
            do throws(ScrapeFeed.Refusal) {
                counters.note(
                    try feed.take(text, isOpenMetrics: isOpenMetrics, at: time, seconds: seconds))
                return nil
            } catch {
                switch error {
                case .text(let error): return "\(error)"
                case .sampleLimit: return "it has more samples than `sample_limit`"
                }
            }
        }
        guard answer.headers["content-encoding"] == "gzip" else { return take(client.body.bytes) }
        var plain = ByteBuffer(capacity: client.body.count * 8)
        guard Gzip.restore(client.body.bytes, limit: section.bodyLimit, into: &plain) else {
            return "it cannot be restored, or is larger than `body_size_limit`"
        }
        return take(plain.bytes)
    }

    /// A token that stands in a file.
    static func token(_ path: String) -> String? {
        guard let bytes = AtomicFile.read(path, limit: 1 << 16) else { return nil }
        let token = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        return token.isEmpty ? nil : token
    }
}

extension UInt64 {
    /// Nanoseconds as milliseconds.
    fileprivate var milliseconds: Int64 { Int64(clamping: self / 1_000_000) }
}
