import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

@testable import WeirPlugins

/// Where Weir follows files otherwise than Fluentd 1.16.9, and why.
private let tailDifferences: [String: String] = [
    "tail-encoding-invalid":
        "well-formed UTF-8 is kept; Fluentd replaces every byte beyond ASCII when one is malformed",
    "tail-multiline": "there is no `multiline` parser",
    "tail-multiline-nofirst": "there is no `multiline` parser",
    "tail-rotate-while-down":
        "the line that was written before the rotation is read; Fluentd loses it",
]

@Suite("Following files", .enabled(if: SharedCases.arePresent))
struct TailConformanceTests {
    @Test func `goes as with Fluentd in every captured scenario, or differs for a reason`() {
        let records = SharedCases.records("conformance/fluentd/tail/scenarios.jsonl")
        for record in records {
            guard let id = record["id"]?.string else { continue }
            let difference = difference(record)
            if tailDifferences[id] == nil {
                #expect(difference == nil, "\(id): \(difference ?? "")")
            } else {
                #expect(
                    difference != nil, "\(id) is the same as Fluentd's: strike it from the table")
            }
        }
        #expect(records.count >= 23)
    }

    /// What is not as it was captured, if anything.
    private func difference(_ record: Record) -> String? {
        do {
            var scenario = try Scenario(record)
            for (index, step) in (record["steps"]?.array ?? []).compactMap(\.object).enumerated() {
                if let difference = try scenario.play(step) {
                    return "step \(index): \(difference)"
                }
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}

/// One captured course of events, played with the engine.
private struct Scenario {
    private let rig: TailRig
    private let followsInodes: Bool
    private let year: String
    private var inodes: [UInt64] = []

    init(_ record: Record) throws {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        year = "\(Int(parts.tm_year) + 1900)/"
        rig = try TailRig(source: record["conf"]?.string ?? "")
        followsInodes = rig.options.followsInodes
    }

    private func localized(_ text: String) -> String { text.replacing("2026/", with: year) }

    mutating func play(_ step: Record) throws -> String? {
        for operation in (step["ops"]?.array ?? []).compactMap(\.array) {
            try perform(operation)
            noteInodes()
        }
        let wait: Double =
            switch step["wait"] {
            case .float(let seconds)?: seconds
            case .integer(let seconds)?: Double(seconds)
            default: 0
            }
        rig.pass(seconds: wait)
        let arrived = rig.sink.takeEvents().map(shown)
        let expected = (step["events"]?.array ?? []).compactMap(\.object).map(expectation)
        let isSame = inodes.count > 1 ? arrived.sorted() == expected.sorted() : arrived == expected
        guard isSame else { return "\(arrived) instead of \(expected)" }
        let written = positions(rig.folder.text("pos"))
        let wished = positions(step["pos"]?.string.map(filledIn))
        return written == wished ? nil : "positions \(written) instead of \(wished)"
    }

    // MARK: Operations

    private func perform(_ operation: [Value]) throws {
        let words = operation.dropFirst().map { localized($0.string ?? "") }
        switch operation.first?.string {
        case "write": rig.folder.write(words[0], bytes(operation[2]))
        case "append":
            rig.folder.append(words[0], String(decoding: bytes(operation[2]), as: UTF8.self))
        case "rename": rig.folder.rename(words[0], words[1])
        case "copy": rig.folder.copy(words[0], words[1])
        case "truncate": rig.folder.truncate(words[0], Int(operation[2].integer ?? 0))
        case "delete": rig.folder.delete(words[0])
        case "symlink": rig.folder.link(words[0], words[1])
        case "mkdir": AtomicFile.makeFolder(of: rig.folder.place(words[0]) + "/x")
        case "start":
            try rig.start()
            rig.step()
        case "stop": rig.stop()
        default: throw TailRig.Broken(text: "unknown operation \(operation)")
        }
    }

    private func bytes(_ value: Value) -> [UInt8] {
        guard let code = value.object?["$b64"]?.string else {
            return Array((value.string ?? "").utf8)
        }
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for digit in code.utf8 {
            guard let number = alphabet.firstIndex(of: digit) else { break }
            bits = bits &<< 6 | UInt32(number)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits &>> UInt32(count)))
            }
        }
        return bytes
    }

    private mutating func noteInodes() {
        for name in files(in: "") where name != "pos" && name != "pos.weir" {
            let inode = rig.folder.inode(name)
            if inode > 0, !inodes.contains(inode) { inodes.append(inode) }
        }
    }

    private func files(in folder: String) -> [String] {
        FileNames.inFolder(rig.folder.place(folder)).sorted().flatMap { name in
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            guard case .success(let status) = FileStatus.of(rig.folder.place(path)) else {
                return [String]()
            }
            return status.isRegular ? [path] : files(in: path)
        }
    }

    // MARK: Comparing

    private func shown(_ event: ArrivedEvent) -> String {
        let isNow = abs(event.time.seconds - Int64(time(nil))) <= 30
        let when = isNow ? "now" : "\(event.time.seconds).\(event.time.nanoseconds)"
        return "\(event.tag) \(when) \(JSONValueWriter.text(.object(sorted(event.record))))"
    }

    private func expectation(_ event: Record) -> String {
        let dotted = rig.folder.path.dropFirst().replacing("/", with: ".")
        let tag = (event["tag"]?.string ?? "").replacing("DIR", with: dotted)
        let time = event["time"]?.array?.compactMap(\.integer) ?? []
        let when = time.count == 2 ? "\(time[0]).\(time[1])" : "now"
        let record = JSONValueWriter.text(.object(sorted(event["record"]?.object ?? [:])))
        return "\(tag) \(when) \(record.replacing("DIR", with: rig.folder.path))"
    }

    private func sorted(_ record: Record) -> Record {
        Record(record.fields.sorted { $0.key < $1.key })
    }

    private func filledIn(_ text: String) -> String {
        var text = localized(text).replacing("DIR", with: rig.folder.path)
        for (index, inode) in inodes.enumerated() {
            let digits = String(inode, radix: 16)
            text = text.replacing(
                "{INODE\(index + 1)}",
                with: String(repeating: "0", count: 16 - digits.count) + digits)
        }
        return text
    }

    /// The positions of files that are followed; where they belong to inodes the path is a remark.
    private func positions(_ text: String?) -> Set<String> {
        guard let text else { return ["no file"] }
        let live = PositionFile.parse(Array(text.utf8)).entries.filter {
            $0.position != PositionEntry.unwatched
        }
        return Set(
            live.map { "\(followsInodes ? "" : $0.path) \($0.position) \($0.inode)" })
    }
}
