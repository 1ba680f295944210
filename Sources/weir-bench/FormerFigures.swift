/// What the rows of `make bench` were at the last measurement that was committed, beside which the present
/// ones are printed: on a shared machine a single figure says little, a change of many says something.
enum FormerFigures {
    /// Prints a row of a table with its former figure.
    static func printRow(_ name: String, _ figure: String) {
        print("| \(name) | \(figure) | \(figures[name] ?? "") |")
    }

    /// Of 2026-11-26.
    private static let figures = [
        "copy and split, JSON lines of 855 bytes": "73",
        "JSON parse": "356",
        "Envoy text parse, lines of 387 bytes": "402",
        "regexp parse of the same": "689",
        "transform: two fields": "0",
        "bulk encoding with identity": "274",
        "all of these": "648",
        "gzip of the bulk body, by zlib": "3435",
        "istio_fields: seven fields": "46",
        "istio_metrics: a counter and three histograms of 25 labels": "118",
        "store: 200000 documents encoded and committed": "4854",
        "label values gathered, 5 labels": "20 ns",
        "update of a series that is there, 5 labels": "37 ns",
        "update of a new series, 5 labels": "456 ns",
        "label values gathered, 25 labels": "153 ns",
        "update of a series that is there, 25 labels": "40 ns",
        "update of a new series, 25 labels": "1890 ns",
        "scrape of 1000 series, text": "0.5 ms, 0 MiB",
        "scrape of 1000 series, openMetrics": "0.7 ms, 1 MiB",
        "scrape of 1000 series, protobuf": "1.0 ms, 0 MiB",
        "scrape of 1000 series, text, gzip by zlib": "2.2 ms, 0 KiB",
        "scrape of 10000 series, text": "5.3 ms, 8 MiB",
        "scrape of 10000 series, openMetrics": "7.0 ms, 17 MiB",
        "scrape of 10000 series, protobuf": "10.2 ms, 9 MiB",
        "scrape of 10000 series, text, gzip by zlib": "23.5 ms, 218 KiB",
        "scrape of 50000 series, text": "28.2 ms, 44 MiB",
        "scrape of 50000 series, openMetrics": "36.0 ms, 88 MiB",
        "scrape of 50000 series, protobuf": "55.2 ms, 46 MiB",
        "scrape of 50000 series, text, gzip by zlib": "118.4 ms, 1121 KiB",
        "memory of a counter with 25 labels": "191 bytes",
        "memory of a duration histogram with 25 labels": "351 bytes",
        "remote write 1.0, sample of counters with 25 labels": "2219 ns, 62 bytes",
        "remote write 1.0, sample of histograms with 25 labels": "366 ns, 63 bytes",
        "remote write 2.0, sample of counters with 25 labels": "2778 ns, 12 bytes",
        "remote write 2.0, sample of histograms with 25 labels": "333 ns, 9 bytes",
    ]
}
