/// Where a filter of Weir does otherwise than Fluentd 1.16.9, and why.
///
/// A case is a captured configuration's `id`, with the place of the event when it is one event.
let deliberateDifferences: [(reason: String, cases: [String])] = [
    (
        "a value that is not a number of seconds fails; Fluentd takes it for a moment of 1970",
        [
            "filter-0092 0", "filter-0094 0", "filter-0096 2",
        ]
    ),
    (
        "a dot within quotes belongs to the field's name; Fluentd refuses the configuration",
        [
            "filter-0413"
        ]
    ),
    (
        "a time that cannot be read fails; Fluentd takes it for 1970",
        [
            "filter-0414 10", "filter-0415 10", "filter-0417 10", "filter-0422 10",
            "filter-0425 10", "filter-0426 10", "filter-0427 10", "filter-0428 10",
        ]
    ),
    (
        "a null time is no time; Fluentd fails on it, or loses the record",
        [
            "filter-0414 11", "filter-0415 11", "filter-0416 11", "filter-0417 11",
            "filter-0421 11", "filter-0422 11", "filter-0425 11", "filter-0426 11",
            "filter-0427 11", "filter-0428 11", "filter-0429 11",
        ]
    ),
    (
        "only objects are records; Fluentd lets other JSON through as a record",
        [
            "filter-0414 5", "filter-0414 6", "filter-0414 7", "filter-0416 5", "filter-0416 6",
            "filter-0416 7", "filter-0417 5", "filter-0417 6", "filter-0417 7", "filter-0421 5",
            "filter-0421 6", "filter-0421 7", "filter-0422 6", "filter-0422 7", "filter-0425 5",
            "filter-0425 6", "filter-0425 7", "filter-0426 5", "filter-0426 6", "filter-0426 7",
            "filter-0427 5", "filter-0427 6", "filter-0427 7", "filter-0428 5", "filter-0428 6",
            "filter-0428 7",
        ]
    ),
    (
        "`?` stands for malformed bytes within JSON too; Fluentd lets them through",
        [
            "filter-0425 12", "filter-0426 12",
        ]
    ),
    (
        "malformed bytes were made U+FFFD when they were read, so that the text parses",
        [
            "filter-0431 3", "filter-0432 3", "filter-0433 3", "filter-0434 3", "filter-0435 3",
            "filter-0436 3", "filter-0437 3", "filter-0438 3", "filter-0439 3", "filter-0443 3",
            "filter-0444 3",
        ]
    ),
    (
        "`reserve_time` asks for no time, so that none can fail",
        [
            "filter-0432 2", "filter-0437 2", "filter-0459 1",
        ]
    ),
    (
        "`reserve_data` keeps whatever does not parse; Fluentd loses it",
        [
            "filter-0442 2", "filter-0442 4",
        ]
    ),
    (
        "what failed goes to @ERROR only; Fluentd also lets it through unparsed",
        [
            "filter-0432 4", "filter-0433 2", "filter-0433 4", "filter-0435 2", "filter-0435 4",
            "filter-0436 2", "filter-0436 4", "filter-0441 2", "filter-0441 4",
        ]
    ),
    (
        "Weir has no such parser",
        [
            "filter-0455", "filter-0457",
        ]
    ),
]
