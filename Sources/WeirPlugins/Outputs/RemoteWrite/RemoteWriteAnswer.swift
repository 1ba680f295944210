import WeirMetrics

/// What a receiver answered, as far as remote write reads it.
struct RemoteWriteAnswer: Sendable {
    /// The headers in which a receiver of version 2 says what it has written.
    enum Header {
        static let samples = "x-prometheus-remote-write-samples-written"
        static let histograms = "x-prometheus-remote-write-histograms-written"
        static let exemplars = "x-prometheus-remote-write-exemplars-written"

        static let all = [samples, histograms, exemplars]
    }

    /// The status code.
    var status: Int
    /// How long the receiver asks to be left alone.
    var retryAfter: Duration?
    /// The headers that it sent, of those in ``Header``; names in lower case.
    var headers: [String: String] = [:]

    /// What becomes of a request.
    enum Verdict: Equatable {
        /// It is done; what was not written is lost, for a reason.
        case done(written: RemoteWriteRequest.Counts, lost: RemoteWriteRequest.Counts, String)
        /// It is sent again, not before a time has passed if the receiver named one.
        case retry(String, after: Duration?)
    }

    /// What becomes of a request with this answer.
    ///
    /// 5xx and 429 are sent again, all else is final (both specifications, "Retries & Backoff"). Only
    /// version 2 says what was written, also of a request that was refused in part.
    func verdict(
        on counts: RemoteWriteRequest.Counts, version: RemoteWriteVersion
    ) -> Verdict {
        if status == 429 || status >= 500 { return .retry("status_\(status)", after: retryAfter) }
        let isTaken = 200..<300 ~= status
        switch version {
        case .one:
            return isTaken
                ? .done(written: counts, lost: RemoteWriteRequest.Counts(), "")
                : .done(written: RemoteWriteRequest.Counts(), lost: counts, "status_\(status)")
        case .two:
            let written = written(of: counts)
            let lost = counts.without(written)
            if lost.isZero { return .done(written: written, lost: lost, "") }
            guard isTaken else { return .done(written: written, lost: lost, "status_\(status)") }
            // Without the headers it is a receiver of version 1 that understood nothing.
            return .done(
                written: written, lost: lost, headers.isEmpty ? "not_understood" : "not_written")
        }
    }

    private func written(of counts: RemoteWriteRequest.Counts) -> RemoteWriteRequest.Counts {
        func number(_ name: String, _ limit: Int) -> Int {
            min(max(headers[name].flatMap { Int($0) } ?? 0, 0), limit)
        }
        return RemoteWriteRequest.Counts(
            samples: number(Header.samples, counts.samples),
            histograms: number(Header.histograms, counts.histograms),
            exemplars: number(Header.exemplars, counts.exemplars))
    }
}

extension RemoteWriteRequest.Counts {
    /// What is left when some of it is taken away.
    func without(_ other: Self) -> Self {
        Self(
            samples: max(samples - other.samples, 0),
            histograms: max(histograms - other.histograms, 0),
            exemplars: max(exemplars - other.exemplars, 0))
    }
}
