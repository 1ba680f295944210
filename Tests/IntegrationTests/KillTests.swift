import Glibc
import Testing
import WeirCore
import WeirHost
import WeirTesting

@Suite("An agent that is killed under load", .serialized) struct KillTests {
    /// Writes numbered lines, with a rotation now and then.
    private struct Writer {
        let folder: ScratchFolder
        var written = 0
        var rotations = 0
        /// The size of the file that is written now.
        var byteCount = 0

        mutating func write(_ count: Int) {
            var text = ""
            for number in written..<(written + count) {
                text += "{\"n\":\(number),\"path\":\"/api/\(number % 7)\",\"response_code\":200}\n"
            }
            folder.append(text, to: "access.log")
            byteCount += text.utf8.count
            written += count
        }

        mutating func rotate() {
            rotations += 1
            byteCount = 0
            rename(folder.file("access.log"), folder.file("access.log.\(rotations)"))
        }
    }

    /// How many times chunks were not taken.
    private func failureCount(_ weir: RunningWeir) -> Int {
        weir.log.ranges(of: "it is sent again").count
    }

    /// What the position file says of each path.
    private func positions(_ folder: ScratchFolder) -> [String: Int] {
        let text = String(decoding: folder.contents(of: "access.log.pos") ?? [], as: UTF8.self)
        var found: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t")
            if parts.count == 3 { found[String(parts[0])] = Int(parts[1], radix: 16) }
        }
        return found
    }

    @Test
    func `loses and doubles nothing with a memory buffer, nor when Elasticsearch dies with it`()
        throws
    {
        var random = SeededGenerator(announcing: "kill")
        let standIn = try ElasticsearchStandIn()
        standIn.keepRequests(false)
        let folder = try ScratchFolder()
        folder.write(
            TestConfigurations.tailToElasticsearch(
                port: standIn.port, path: folder.file("access.log")), to: "weir.conf")
        var writer = Writer(folder: folder)
        writer.write(100)
        let weir = try RunningWeir(folder)
        for kill in 0..<50 {
            writer.write(Int.random(in: 1...400, using: &random))
            if kill % 5 == 4 { writer.rotate() }
            writer.write(Int.random(in: 1...400, using: &random))
            // At a random place of the work, not after it: as many more documents as chance says.
            let more = Int.random(in: 0...300, using: &random)
            _ = standIn.waitForDocuments(min(standIn.documents.count + more, writer.written))
            // Elasticsearch dies alone, or with the agent, with requests under way.
            let takesStandIn = kill % 4 == 3
            if takesStandIn { standIn.stop() }
            if kill % 8 == 3 {
                writer.write(50)
                #expect(weir.waitForLog("it is sent again", count: failureCount(weir) + 1))
            }
            weir.process.kill9()
            if takesStandIn { try standIn.restart() }
            try weir.restart()
        }
        // Lines that only the last of them reads: all the others may be there already.
        writer.write(10)
        #expect(standIn.waitForDocuments(writer.written))
        #expect(weir.terminate() == 0)
        let found = numbers("n", in: standIn.documents)
        #expect(found.count == writer.written, "lines that came twice or not at all")
        #expect(Set(found) == Set(0..<writer.written))
        #expect(standIn.violations.isEmpty)
        #expect(positions(folder)[folder.file("access.log")] == writer.byteCount)
        // The positions are those of the deliveries: nothing is sent another time.
        let duplicateCount = standIn.duplicateCount
        writer.write(10)
        try weir.restart()
        #expect(standIn.waitForDocuments(writer.written))
        #expect(weir.terminate() == 0)
        #expect(standIn.documents.count == writer.written)
        #expect(standIn.duplicateCount == duplicateCount)
        print("kill: \(writer.written) lines, \(standIn.duplicateCount) absorbed as duplicates")
    }

    @Test func `has what its file buffer holds, though the log is gone, and sends it once`() throws
    {
        var random = SeededGenerator(announcing: "kill, file buffer")
        let standIn = try ElasticsearchStandIn()
        let folder = try ScratchFolder()
        folder.write(
            TestConfigurations.tailToElasticsearch(
                port: standIn.port, path: folder.file("access.log")
            ).replacing(
                "<buffer tag>",
                with: "<buffer tag>\n    @type file\n    path \(folder.file("buffer"))"),
            to: "weir.conf")
        var writer = Writer(folder: folder)
        let weir = try RunningWeir(folder)
        let watch = Inotify()
        for kill in 0..<20 {
            // Nothing can be delivered: what leaves the log stays in the buffer.
            standIn.stop()
            writer.write(Int.random(in: 1...300, using: &random))
            watch.watch(folder.path)
            while positions(folder)[folder.file("access.log")] != writer.byteCount {
                watch.wait(milliseconds: 100)
            }
            unlink(folder.file("access.log"))
            writer.byteCount = 0
            weir.process.kill9()
            try standIn.restart()
            let more = Int.random(in: 0...200, using: &random)
            try weir.restart()
            // The next kill comes at a random place of what is sent now.
            _ = standIn.waitForDocuments(min(standIn.documents.count + more, writer.written))
            if kill % 2 == 0 {
                weir.process.kill9()
                try weir.restart()
            }
        }
        #expect(standIn.waitForDocuments(writer.written))
        #expect(weir.terminate() == 0)
        #expect(numbers("n", in: standIn.documents).sorted() == Array(0..<writer.written))
        #expect(standIn.violations.isEmpty)
        print("kill, file buffer: \(writer.written) lines")
    }
}
