import WeirConfig
import WeirCore
import WeirPipeline

/// Fluentd's `<buffer>`, declared once for all outputs.
public enum BufferSection {
    private enum P {
        static let type = Parameter.text("@type", default: "memory", "Where chunks are kept.")
        static let timekey = Parameter.duration(
            "timekey", default: .zero, "The length of a time slot, with the chunk key `time`.")
        static let timekeyWait = Parameter.duration(
            "timekey_wait", default: .seconds(600), "How long a time slot waits for late events.")
        static let timekeyUTC = Parameter.flag(
            "timekey_use_utc", default: false, "Whether time slots are cut in UTC.")
        static let timekeyZone = Parameter.text(
            "timekey_zone", default: "", "The zone in which time slots are cut, as `+09:00`.")
        static let chunkSize = Parameter.size(
            "chunk_limit_size", default: BufferOptions.memoryChunkByteLimit,
            "A chunk's limit in bytes.")
        static let chunkRecords = Parameter.integer(
            "chunk_limit_records", in: 1...Int.max, "A chunk's limit in events."
        ).optional
        static let fullThreshold = Parameter.float(
            "chunk_full_threshold", default: 0.95,
            "The part of a chunk's limit at which it is sent.")
        static let totalSize = Parameter.size(
            "total_limit_size",
            "The limit of all chunks in bytes: 64g in files, in memory at most the process's share."
        ).optional
        static let queueLength = Parameter.integer(
            "queue_limit_length", in: 1...Int.max, "The limit of sealed chunks."
        ).optional
        static let queuedChunks = Parameter.integer(
            "queued_chunks_limit_size", in: 1...Int.max, "The limit of sealed chunks."
        ).optional
        static let flushMode = Parameter<FlushMode>.choice(
            "flush_mode", default: .default, "When chunks are sent.")
        static let flushInterval = Parameter.duration(
            "flush_interval", default: .seconds(1), "The time between flushes (Fluentd: 60 s).")
        static let flushAtShutdown = Parameter.flag(
            "flush_at_shutdown", default: true, "Whether chunks are sent when the agent stops.")
        static let threads = Parameter.integer(
            "flush_thread_count", default: 1, in: 1...64, "How many threads send.")
        static let overflow = Parameter<BufferOptions.OverflowAction>.choice(
            "overflow_action", default: .throwException, "What happens when the buffer is full.")
        static let retryType = Parameter<RetryOptions.Growth>.choice(
            "retry_type", default: .exponentialBackoff, "How the waits between tries grow.")
        static let retryWait = Parameter.duration(
            "retry_wait", default: .seconds(1), "The first wait.")
        static let retryBase = Parameter.float(
            "retry_exponential_backoff_base", default: 2, "The factor between waits.")
        static let retryMaximum = Parameter.duration(
            "retry_max_interval", "The longest wait."
        ).optional
        static let retryRandomize = Parameter.flag(
            "retry_randomize", default: true, "Whether waits are moved by up to an eighth.")
        static let retryTimeout = Parameter.duration(
            "retry_timeout", default: .seconds(72 * 3600), "How long a chunk is tried.")
        static let retryTimes = Parameter.integer(
            "retry_max_times", "How often a chunk is tried again."
        ).optional
        static let retryForever = Parameter.flag(
            "retry_forever", default: false, "Whether a chunk is tried for ever.")
        static let retryThreshold = Parameter.float(
            "retry_secondary_threshold", default: 0.8,
            "The part of the retries after which `<secondary>` takes over.")
        static let path = Parameter.text("path", "The folder of the chunks.")
    }

    /// Fluentd's flush modes, its default included.
    enum FlushMode: String, Sendable, CaseIterable {
        case `default`
        case lazy
        case interval
        case immediate
    }

    private static let common: [AnyParameter] = [
        AnyParameter(P.timekey), AnyParameter(P.timekeyWait), AnyParameter(P.timekeyUTC),
        AnyParameter(P.timekeyZone), AnyParameter(P.chunkSize), AnyParameter(P.chunkRecords),
        AnyParameter(P.fullThreshold), AnyParameter(P.totalSize), AnyParameter(P.queueLength),
        AnyParameter(P.queuedChunks), AnyParameter(P.flushMode), AnyParameter(P.flushInterval),
        AnyParameter(P.flushAtShutdown), AnyParameter(P.threads), AnyParameter(P.overflow),
        AnyParameter(P.retryType), AnyParameter(P.retryWait), AnyParameter(P.retryBase),
        AnyParameter(P.retryMaximum), AnyParameter(P.retryRandomize), AnyParameter(P.retryTimeout),
        AnyParameter(P.retryTimes), AnyParameter(P.retryForever), AnyParameter(P.retryThreshold),
    ]

    private static let ignored = [
        IgnoredParameter(
            "flush_thread_interval", because: "sending threads wake when there is something to send"
        ),
        IgnoredParameter(
            "flush_thread_burst_interval",
            because: "sending threads wake when there is something to send"),
        IgnoredParameter(
            "delayed_commit_timeout", because: "an output answers for a chunk before the next one"),
        IgnoredParameter("compress", because: "chunks are kept as they will be sent"),
        IgnoredParameter("decompression_size_limit", because: "chunks are never compressed"),
        IgnoredParameter(
            "disable_chunk_backup",
            because: "what is given up goes to the dead letter, event by event"),
        IgnoredParameter("file_permission", because: "buffer files are made with mode 0640"),
        IgnoredParameter("dir_permission", because: "buffer folders are made with mode 0755"),
    ]

    /// The kinds of buffer.
    public static let declarations = [
        ComponentDeclaration(
            .buffer, type: "memory",
            "Keeps chunks in memory; a file's position waits for their delivery.",
            parameters: common, ignored: ignored),
        ComponentDeclaration(
            .buffer, type: "file", "Keeps chunks on disk, where they survive the process.",
            parameters: common + [AnyParameter(P.path)], ignored: ignored),
        ComponentDeclaration(
            .buffer, type: "file_single", "The same as `file`.",
            parameters: common + [AnyParameter(P.path)], ignored: ignored),
    ]

    /// The section as outputs declare it.
    public static let declaration = SectionDeclaration(
        "buffer", .optional, family: .buffer, parameters: [AnyParameter(P.type)],
        "How events are gathered and sent; its argument names the chunk keys.")

    /// Reads the section of an output, or its defaults.
    static func options(
        _ section: Section?, defaultKeys: [String], hasSecondary: Bool
    ) throws(SectionError) -> BufferOptions {
        var options = BufferOptions()
        options.retry.hasSecondary = hasSecondary
        guard let section else {
            setKeys(defaultKeys, &options)
            return options
        }
        let argument = section.argument
        setKeys(argument.isEmpty ? defaultKeys : try keys(argument, section), &options)
        try readTimeSlots(section, argument, &options)
        readLimits(section, &options)
        try readFlushing(section, &options)
        try readRetries(section, &options.retry)
        if section.type != "memory" { options.directory = section[P.path] }
        return options
    }

    private static func keys(
        _ argument: String, _ section: Section
    ) throws(SectionError) -> [String] {
        do throws(ValueError) {
            return try ValueText.array(argument).compactMap { value in
                if case .string(let key) = value { key } else { nil }
            }
        } catch {
            throw SectionError(section.element.location, error.message, help: error.help)
        }
    }

    private static func setKeys(_ keys: [String], _ options: inout BufferOptions) {
        options.keyedByTag = keys.contains("tag")
        options.keyedByFields = keys.filter { $0 != "tag" && $0 != "time" && $0 != "[]" }
        options.timeSlotSeconds = keys.contains("time") ? 0 : nil
    }

    private static func readTimeSlots(
        _ section: Section, _ argument: String, _ options: inout BufferOptions
    ) throws(SectionError) {
        guard options.timeSlotSeconds != nil else { return }
        let seconds = section[P.timekey].components.seconds
        guard seconds > 0 else {
            throw SectionError(
                section.element.location, "the chunk key `time` needs `timekey`",
                help: "add `timekey 1d`, or another length of a time slot")
        }
        options.timeSlotSeconds = seconds
        options.timeSlotWait = section[P.timekeyWait]
        if section[P.timekeyUTC] {
            options.timeSlotZone = .utc
        } else if !section[P.timekeyZone].isEmpty {
            guard let zone = TimeZone(offset: section[P.timekeyZone]) else {
                throw SectionError(
                    section.location(of: P.timekeyZone),
                    "`\(section[P.timekeyZone])` is not a zone that Weir knows",
                    help: "write the distance from UTC, such as `+09:00`")
            }
            options.timeSlotZone = zone
        } else {
            options.timeSlotZone = .local
        }
    }

    private static func readLimits(_ section: Section, _ options: inout BufferOptions) {
        options.chunkByteLimit = max(section[P.chunkSize], 1)
        options.chunkEventLimit = section[P.chunkRecords]
        options.chunkFullThreshold = min(max(section[P.fullThreshold], 0.01), 1)
        options.totalByteLimit = section[P.totalSize]
        options.queuedChunkLimit = section[P.queueLength] ?? section[P.queuedChunks]
        options.overflowAction = section[P.overflow]
    }

    private static func readFlushing(
        _ section: Section, _ options: inout BufferOptions
    ) throws(SectionError) {
        switch section[P.flushMode] {
        case .default: options.flushMode = options.timeSlotSeconds == nil ? .interval : .lazy
        case .lazy: options.flushMode = .lazy
        case .interval: options.flushMode = .interval
        case .immediate: options.flushMode = .immediate
        }
        if section.isSet(P.flushInterval), section[P.flushMode] != .default,
            options.flushMode != .interval
        {
            throw SectionError(
                section.location(of: P.flushInterval),
                "`flush_interval` has no meaning with `flush_mode \(options.flushMode.rawValue)`",
                help: "remove it, or write `flush_mode interval`")
        }
        options.flushInterval = section[P.flushInterval]
        options.flushesAtShutdown = section[P.flushAtShutdown]
        options.flushThreadCount = section[P.threads]
    }

    private static func readRetries(
        _ section: Section, _ retry: inout RetryOptions
    ) throws(SectionError) {
        retry.growth = section[P.retryType]
        retry.wait = section[P.retryWait]
        retry.backoffBase = section[P.retryBase]
        guard retry.backoffBase >= 1 else {
            throw SectionError(
                section.location(of: P.retryBase), "waits that shrink are not a back-off",
                help: "write a base of 1 or more")
        }
        retry.maximumWait = section[P.retryMaximum]
        retry.isRandomized = section[P.retryRandomize]
        retry.timeout = section[P.retryForever] ? nil : section[P.retryTimeout]
        retry.maximumCount = section[P.retryForever] ? nil : section[P.retryTimes]
        retry.secondaryThreshold = section[P.retryThreshold]
        guard retry.secondaryThreshold > 0, retry.secondaryThreshold <= 1 else {
            throw SectionError(
                section.location(of: P.retryThreshold),
                "`retry_secondary_threshold` is a part of the whole",
                help: "write a number above 0 and at most 1")
        }
    }
}
