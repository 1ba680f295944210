import Glibc
import Testing
import WeirCore
import WeirTesting

@Suite("An agent that is killed under load", .serialized) struct KillTests {
    /// Writes numbered lines, with a rotation now and then.
    private struct Writer {
        let folder: ScratchFolder
        var written = 0
        var rotations = 0

        mutating func write(_ count: Int) {
            var text = ""
            for number in written..<(written + count) {
                text += "{\"n\":\(number),\"path\":\"/api/\(number % 7)\",\"response_code\":200}\n"
            }
            folder.append(text, to: "access.log")
            written += count
        }

        mutating func rotate() {
            rotations += 1
            rename(folder.file("access.log"), folder.file("access.log.\(rotations)"))
        }
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
            if kill % 7 == 6 { standIn.stop() }
            weir.process.kill9()
            if kill % 7 == 6 { try standIn.restart() }
            try weir.restart()
        }
        #expect(standIn.waitForDocuments(writer.written))
        #expect(weir.terminate() == 0)
        let found = numbers("n", in: standIn.documents)
        #expect(found.count == writer.written, "lines that came twice or not at all")
        #expect(Set(found) == Set(0..<writer.written))
        #expect(standIn.violations.isEmpty)
        print("kill: \(writer.written) lines, \(standIn.duplicateCount) absorbed as duplicates")
    }
}
