import Testing

@testable import WeirHost

@Suite("Journals on disk") struct JournalFileTests {
    private func bytes(_ file: borrowing JournalFile, _ limit: Int = 100) -> [UInt8] {
        file.bytes(limit: limit)
    }

    /// Whether something could be done.
    private func isDone(_ body: () throws(SystemError) -> Void) -> Bool {
        (try? body()) != nil
    }

    @Test("grow at their end, and are written anew when they have grown")
    func growth() throws {
        let folder = HostFolder()
        var file = JournalFile(folder.place("a/b/journal"))
        #expect(bytes(file).isEmpty)
        var needsRewriting = file.needsRewriting
        #expect(needsRewriting)
        #expect(!isDone { () throws(SystemError) in try file.append([1]) })
        try file.rewrite([1, 2])
        try file.append([3])
        #expect(bytes(file, 100) == [1, 2, 3])
        #expect(bytes(file, 2).isEmpty, "a file that is too large is none of its own")
        needsRewriting = file.needsRewriting
        #expect(!needsRewriting)
        try file.append([UInt8](repeating: 4, count: 1 << 20))
        needsRewriting = file.needsRewriting
        #expect(needsRewriting)
        try file.rewrite([5])
        #expect(bytes(file, 100) == [5])
    }

    @Test("that cannot be written say so")
    func failure() throws {
        let folder = HostFolder()
        try folder.write("file")
        var file = JournalFile(folder.place("file/journal"))
        #expect(!isDone { () throws(SystemError) in try file.rewrite([1]) })
        let needsRewriting = file.needsRewriting
        #expect(needsRewriting)
    }
}

@Suite("Signatures of messages") struct MessageSignatureTests {
    @Test("are those of RFC 4231")
    func vectors() {
        let first = MessageSignature(secret: [UInt8](repeating: 0x0b, count: 20))
        #expect(
            first.text(of: Array("Hi There".utf8))
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        let second = MessageSignature(secret: Array("Jefe".utf8))
        #expect(
            second.text(of: Array("what do ya want for nothing?".utf8))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }
}
