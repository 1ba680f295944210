import WeirConfig
import WeirCore
import WeirMetrics
import WeirParse
import WeirPipeline

/// Every component that a configuration can name: one line each.
public enum PluginCatalog {
    /// The catalogue that configurations are checked against.
    public static let catalog = ComponentCatalog(
        [
            TailSource.declaration, PrometheusSource.declaration, RemoteWriteSource.declaration,
            ScrapeSource.declaration, ZipkinSource.declaration,
        ]
            + PrometheusMonitors.declarations
            + [
                RecordTransformerFilter.declaration, GrepFilter.declaration,
                ParserFilter.declaration, IstioFieldsFilter.declaration,
                IstioMetricsFilter.declaration, PrometheusFilter.declaration,
                SamplingSignalsFilter.declaration, SpanMetricsFilter.declaration,
            ]
            + [
                ElasticsearchSection.declaration, DataStreamSection.declaration,
                ElasticsearchZipkinSection.declaration,
                StdoutDestination.declaration,
                FileDestination.declaration, FileDestination.secondaryDeclaration,
                StoreDestination.declaration, TraceStoreDestination.declaration,
                NullOutput.declaration,
                PrometheusOutput.declaration, RemoteWriteSection.declaration,
                RoutingOutputs.copy, RoutingOutputs.relabel,
            ]
            + [AlertmanagerNotifier.declaration, WebhookNotifier.declaration]
            + ParserCatalog.declarations + LineFormat.declarations + BufferSection.declarations)

    /// The source that a section describes.
    public static func source(
        _ section: Section, name: String, sink: any EventSink, context: PluginContext
    ) throws(SectionError) -> any Source {
        switch section.type {
        case "prometheus": return try PrometheusSource(section, context: context)
        case "prometheus_remote_write":
            try checkHistory(section, context)
            return try RemoteWriteSource(section, name: name, context: context)
        case "prometheus_scrape":
            try checkHistory(section, context)
            return try ScrapeSource(section, context: context)
        case "prometheus_monitor", "prometheus_output_monitor", "prometheus_tail_monitor":
            return try PrometheusMonitors.source(section, context: context)
        case "zipkin":
            return try ZipkinSource(section, name: name, sink: sink, context: context)
        default: return try tail(section, name: name, sink: sink, context: context)
        }
    }

    /// Refuses a source of samples where nothing keeps them.
    private static func checkHistory(
        _ section: Section, _ context: PluginContext
    ) throws(SectionError) {
        guard !context.keepsSamples else { return }
        throw SectionError(
            section.element.location,
            "`@type \(section.type)` has nowhere to put its samples: `history_interval` is 0",
            help: "set `history_interval` in `<system>` to 15s, or remove this source")
    }

    private static func tail(
        _ section: Section, name: String, sink: any EventSink, context: PluginContext
    ) throws(SectionError) -> TailSource {
        let options = try TailOptions(section)
        guard let parse = section.section("parse") else {
            throw SectionError(
                section.element.location, "`@type tail` needs a section `<parse>`",
                help: "add `<parse>` with `@type json`")
        }
        // Made once here, so that a mistake is found before anything runs.
        _ = try ParserCatalog.parser(parse)
        var parts = TailSource.Parts(
            name: name, options: options, node: context.nodeName,
            makeParser: { (try? ParserCatalog.parser(parse)) ?? EmptyParser() }, sink: sink,
            registry: context.registry, log: context.tailLog)
        if let checkpoint = context.checkpoint { parts.beforeSaving = { checkpoint.save() } }
        let series = context.series
        parts.forget = { origins in
            series.forget(origins.map { CountedOrigin(high: $0.high, low: $0.low) })
        }
        return TailSource(parts)
    }

    /// What a user should know of a sound source: fields of a log format that cannot be told apart.
    public static func remarks(onSource section: Section) -> [Diagnostic] {
        guard let parse = section.section("parse"), parse.type == "envoy",
            let parser = try? EnvoyParser(parse)
        else { return [] }
        // The default formats are Envoy's own doing.
        guard let format = parse.element["format"] else { return [] }
        return parser.formats.compactMap(\.advice).map { advice in
            let parts = advice.split(separator: ": ", maxSplits: 1).map(String.init)
            return Diagnostic(
                .warning, at: format.valueLocation, parts.first ?? advice,
                help: parts.count > 1 ? parts[1] : "use `json_format`")
        }
    }

    /// What a user should know of a sound filter: placeholders that are always null.
    public static func remarks(onFilter section: Section) -> [Diagnostic] {
        guard section.type == "record_transformer",
            let filter = try? RecordTransformerFilter(section, hostName: "")
        else { return [] }
        return filter.warnings
    }

    /// The filter that a section describes.
    public static func filter(
        _ section: Section, name: String, context: PluginContext
    ) throws(SectionError) -> any Filter {
        switch section.type {
        case "record_transformer":
            return try RecordTransformerFilter(section, hostName: context.hostName)
        case "grep": return try GrepFilter(section, hostName: context.hostName)
        case "parser": return try ParserFilter(section, hostName: context.hostName)
        case "istio_fields": return try IstioFieldsFilter(section, registry: context.registry)
        case "istio_metrics":
            return try IstioMetricsFilter(
                section, name: name, catalog: context.series, clock: context.clock)
        case "sampling_signals":
            return SamplingSignalsFilter(section, name: name, context: context)
        case "span_metrics":
            return try SpanMetricsFilter(section, name: name, context: context)
        case "prometheus":
            return try PrometheusFilter(section, name: name, context: context)
        default:
            throw SectionError(
                section.element.location, "there is no filter `\(section.type)`",
                help: "see `weir docs`")
        }
    }

    /// The output that a section describes; not for `copy` and `relabel`, which are roads.
    public static func output(
        _ section: Section, name: String, context: PluginContext
    ) throws(SectionError) -> any Output {
        switch section.type {
        case "null": return NullOutput(name: name, registry: context.registry)
        case "prometheus":
            return try PrometheusOutput(section, name: name, context: context)
        case "prometheus_remote_write":
            return try RemoteWriteOutput(section, name: name, context: context)
        default: break
        }
        let secondary = try secondary(of: section, name: name, context: context)
        let options = try options(section, hasSecondary: secondary != nil)
        let destination: any ChunkDestination
        switch section.type {
        case "elasticsearch":
            let settings = try ElasticsearchSection(section)
            destination = ElasticsearchDestination(
                settings.connection, documents: settings.documents, registry: context.registry,
                name: name, clock: context.clock)
        case "elasticsearch_data_stream":
            let settings = try DataStreamSection(section)
            destination = ElasticsearchDestination(
                settings.connection, documents: settings.documents, registry: context.registry,
                name: name, clock: context.clock)
        case "elasticsearch_zipkin":
            let settings = try ElasticsearchZipkinSection(section, node: context.nodeName)
            destination = ElasticsearchDestination(
                settings.connection, registry: context.registry, name: name, clock: context.clock
            ) { SpanDocumentEncoder(settings.documents) }
        case "store": destination = StoreDestination(section, name: name, context: context)
        case "trace_store":
            destination = TraceStoreDestination(section, name: name, context: context)
        case "stdout": destination = StdoutDestination(section)
        case "file", "secondary_file": destination = FileDestination(section, options: options)
        default:
            throw SectionError(
                section.element.location, "there is no output `\(section.type)`",
                help: "see `weir docs`")
        }
        return BufferedOutput(
            BufferedOutput.Parts(
                name: name, destination: destination, options: limited(options, context),
                refusals: context.refusals, secondary: secondary,
                metrics: OutputMetrics(context.registry, output: name), clock: context.clock,
                log: context.outputLog))
    }

    /// The notifier that a section describes.
    public static func notifier(
        _ section: Section, name: String, context: PluginContext
    ) throws(SectionError) -> any Notifier {
        switch section.type {
        case "alertmanager":
            return try AlertmanagerNotifier(section, name: name, context: context)
        case "webhook":
            return try WebhookNotifier(section, name: name, context: context)
        default:
            throw SectionError(
                section.element.location, "there is no notifier `\(section.type)`",
                help: "see `weir docs`")
        }
    }

    /// Whether an output does anything with events.
    public static func takesEvents(_ section: Section) -> Bool {
        section.type != "prometheus_remote_write"
    }

    private static func options(
        _ section: Section, hasSecondary: Bool
    ) throws(SectionError) -> BufferOptions {
        let buffer = section.section("buffer")
        let keys = section.type.hasPrefix("elasticsearch") ? ["tag"] : []
        var options = try BufferSection.options(
            buffer, defaultKeys: keys, hasSecondary: hasSecondary)
        if section.type == "stdout", buffer == nil { options.flushMode = .immediate }
        if section.type == "file", buffer == nil || buffer?.argument.isEmpty == true {
            // Fluentd's file output writes a file a day; its lines need not wait for the day's end.
            options.timeSlotSeconds = 86_400
            options.timeSlotZone = .local
        }
        return options
    }

    /// The options within the output's share of the process's memory.
    private static func limited(_ options: BufferOptions, _ context: PluginContext) -> BufferOptions
    {
        var options = options
        let share = context.outputByteLimit
        options.memoryByteLimit = share
        if options.directory == nil {
            options.totalByteLimit = min(options.totalByteLimit ?? share, share)
        } else {
            options.totalByteLimit = options.totalByteLimit ?? BufferOptions.fileTotalByteLimit
        }
        return options
    }

    private static func secondary(
        of section: Section, name: String, context: PluginContext
    ) throws(SectionError) -> (any Output)? {
        guard let section = section.section("secondary") else { return nil }
        guard takesEvents(section) else {
            throw SectionError(
                section.element.location,
                "`@type \(section.type)` sends metrics and takes no events",
                help: "choose another `@type`, such as `secondary_file`")
        }
        return try output(section, name: "\(name).secondary", context: context)
    }
}

/// Reads nothing: stands in for a parser that was checked before.
private final class EmptyParser: LineParser {
    func parse(into batch: EventBatch, now: Timestamp) {}
}
