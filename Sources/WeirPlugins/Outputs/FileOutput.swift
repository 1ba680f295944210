import Glibc
import WeirConfig
import WeirCore
import WeirHost
import WeirPipeline

/// `@type file`: appends events to files by time slot, as Fluentd's output of that name.
public final class FileDestination: ChunkDestination {
    private enum P {
        static let path = Parameter.text(
            "path", "The file's path; `${tag}` and dates are filled in, date and `.log` appended.")
        static let append = Parameter.flag(
            "append", default: false, "Whether chunks of one slot share a file.")
        static let compress = Parameter<Compression>.choice(
            "compress", default: .text, "How files are compressed.")
        static let addSuffix = Parameter.flag(
            "add_path_suffix", default: true, "Whether `path_suffix` is appended.")
        static let suffix = Parameter.text("path_suffix", default: ".log", "The ending of names.")
        static let symlink = Parameter.text(
            "symlink_path", default: "", "A link to the file written last.")
        static let directory = Parameter.text("directory", "The folder of the file.")
        static let basename = Parameter.text(
            "basename", default: "dump.bin", "The name of the file.")
        static let secondaryAppend = Parameter.flag(
            "append", default: true, "Whether chunks share a file.")
    }

    enum Compression: String, Sendable, CaseIterable {
        case text
        case gzip
    }

    /// The component as users see it.
    public static let declaration = ComponentDeclaration(
        .output, type: "file", "Writes events to files, one a day or time slot.",
        parameters: [
            AnyParameter(P.path), AnyParameter(P.append), AnyParameter(P.compress),
            AnyParameter(P.addSuffix), AnyParameter(P.suffix), AnyParameter(P.symlink),
        ],
        ignored: [IgnoredParameter("recompress", because: "chunks are never compressed before")],
        sections: [
            LineFormat.section(default: "out_file"), BufferSection.declaration,
            SecondarySection.declaration,
        ],
        examples: ["<match **>\n  @type file\n  path /var/log/weir/events\n</match>"])

    /// The file for chunks that another output gave up.
    public static let secondaryDeclaration = ComponentDeclaration(
        .output, type: "secondary_file", "Keeps chunks that another output gave up, as JSON lines.",
        parameters: [
            AnyParameter(P.directory), AnyParameter(P.basename), AnyParameter(P.secondaryAppend),
        ],
        sections: [BufferSection.declaration])

    let format: LineFormat
    let path: String
    let appends: Bool
    let compresses: Bool
    let suffix: String
    let link: String?
    let slotFormat: String?
    let zone: TimeZone
    let fields: [String]

    init(_ section: Section, options: BufferOptions) {
        let isSecondary = section.type == "secondary_file"
        format =
            isSecondary
            ? .json
            : LineFormat(
                section.section("format"),
                default: .outFile(delimiter: "\t", writesTag: true, writesTime: true))
        path =
            isSecondary
            ? "\(section[P.directory])/\(section[P.basename])" : section[P.path]
        appends = isSecondary || section[P.append]
        compresses = !isSecondary && section[P.compress] == .gzip
        let ending = isSecondary || !section[P.addSuffix] ? "" : section[P.suffix]
        suffix = ending + (compresses ? ".gz" : "")
        link = isSecondary || section[P.symlink].isEmpty ? nil : section[P.symlink]
        let hasDate = path.contains("%")
        slotFormat = isSecondary || hasDate ? nil : Self.slotFormat(options.timeSlotSeconds)
        zone = options.timeSlotZone
        fields = options.keyedByFields
    }

    /// Fluentd's date in a file's name, by the length of the time slot.
    private static func slotFormat(_ seconds: Int64?) -> String? {
        switch seconds {
        case nil: nil
        case let length? where length >= 86_400: "%Y%m%d"
        case let length? where length >= 3600: "%Y%m%d%H"
        case let length? where length >= 60: "%Y%m%d%H%M"
        default: "%Y%m%d%H%M%S"
        }
    }

    public func makeEncoder() -> any ChunkEncoder { LineEncoder(format) }

    public func makeSender() -> any ChunkSender { FileSender(self) }

    public func recordText(of event: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        LineRecord.text(of: event)
    }

    /// The path of a chunk's file; `number` tells files of one slot apart.
    func path(of key: ChunkKey, number: Int?) -> String {
        var text = ChunkText.filled(path, from: key, fields: fields, zone: zone)
        if let slotFormat, let slot = key.timeSlot {
            let date = TimeFormat.text(of: Timestamp(seconds: slot), format: slotFormat, zone: zone)
            text += ".\(date)"
        }
        return text + (number.map { "_\($0)" } ?? "") + suffix
    }
}

/// Appends chunks to files on one thread.
private final class FileSender: ChunkSender {
    /// Most files of one time slot.
    private static let numberLimit = 100_000

    private let destination: FileDestination

    init(_ destination: FileDestination) {
        self.destination = destination
    }

    func abort() {}

    func send(_ chunk: Chunk, rejected: ([Rejection]) -> Void) -> DeliveryOutcome {
        var compressed = ByteBuffer()
        if destination.compresses,
            !Gzip.compress(chunk.body.bytes, level: .standard, into: &compressed)
        {
            return .retry(reason: "out of memory", after: nil, progressed: false)
        }
        let path = place(chunk.key)
        guard !path.contains("/../") else {
            return .refused(reason: "\(path) leaves its folder")
        }
        AtomicFile.makeFolder(of: path)
        let bytes = destination.compresses ? compressed.bytes : chunk.body.bytes
        if let problem = append(bytes, to: path) {
            return .retry(reason: "\(path): \(problem)", after: nil, progressed: false)
        }
        if let link = destination.link {
            unlink(link)
            symlink(path, link)
        }
        return .delivered
    }

    private func place(_ key: ChunkKey) -> String {
        if destination.appends { return destination.path(of: key, number: nil) }
        for number in 0..<Self.numberLimit {
            let path = destination.path(of: key, number: number)
            if access(path, F_OK) != 0 { return path }
        }
        return destination.path(of: key, number: Self.numberLimit)
    }

    /// Appends whole chunks only: what was written of a chunk that failed is cut off again.
    private func append(_ bytes: UnsafeRawBufferPointer, to path: String) -> SystemError? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return SystemError.last() }
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        var rest = bytes
        while !rest.isEmpty {
            let count = write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = SystemError.last()
                ftruncate(descriptor, status.st_size)
                return error
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return fdatasync(descriptor) == 0 ? nil : SystemError.last()
    }
}
