import Glibc
import Testing
import WeirHost

@Suite("A file written whole") struct AtomicFileTests {
    let folder = HostFolder()

    @Test func `takes the place of the former one and leaves nothing beside it`() throws {
        let path = folder.place("f")
        try AtomicFile.write([1, 2, 3], to: path)
        try AtomicFile.write([4], to: path)
        #expect(AtomicFile.read(path) == [4])
        #expect(FileNames.inFolder(folder.path) == ["f"])
    }

    @Test func `may be empty`() throws {
        try AtomicFile.write([], to: folder.place("f"))
        #expect(AtomicFile.read(folder.place("f")) == [])
    }

    @Test func `keeps the former one when it cannot be written`() throws {
        let path = folder.place("f")
        try AtomicFile.write([1], to: path)
        try folder.write("f.part/x")
        #expect(throws: SystemError(number: EISDIR)) { try AtomicFile.write([2], to: path) }
        #expect(AtomicFile.read(path) == [1])
    }

    @Test func `says why it cannot be written`() {
        let path = folder.place("none/f")
        #expect(throws: SystemError(number: ENOENT)) { try AtomicFile.write([1], to: path) }
        #expect(SystemError(number: ENOENT).description == "No such file or directory")
    }

    @Test func `is written without the part of it that cannot take its name`() throws {
        try folder.write("f/x")
        #expect(throws: SystemError.self) { try AtomicFile.write([1], to: folder.place("f")) }
        #expect(FileNames.inFolder(folder.path) == ["f"], "nothing is left beside it")
    }

    @Test func `is not read when it is absent or too large`() throws {
        try AtomicFile.write([1, 2, 3], to: folder.place("f"))
        #expect(AtomicFile.read(folder.place("f"), limit: 2) == nil)
        #expect(AtomicFile.read(folder.place("f"), limit: 3) == [1, 2, 3])
        #expect(AtomicFile.read(folder.place("none")) == nil)
    }

    @Test func `gets its folders made`() {
        AtomicFile.makeFolder(of: folder.place("a/b/c/f"))
        #expect(FileNames.inFolder(folder.place("a/b")) == ["c"])
    }
}

@Suite("An open file") struct OpenFileTests {
    let folder = HostFolder()

    @Test func `reads at any place, nothing behind its end`() throws {
        try folder.write("f", "abcdef")
        let file = try OpenFile(folder.place("f"))
        #expect(try file.bytes(at: 2, count: 3) == Array("cde".utf8))
        #expect(try file.bytes(at: 4, count: 10) == Array("ef".utf8))
        #expect(try file.bytes(at: 6, count: 1) == [])
        #expect(try file.bytes(at: .max, count: 1) == [])
        #expect(try file.bytes(at: 0, count: 0) == [])
    }

    @Test func `tells what it is, after its name is gone too`() throws {
        try folder.write("f", "abc")
        let file = try OpenFile(folder.place("f"))
        let status = try file.status()
        #expect(status.size == 3)
        #expect(status.isRegular)
        #expect(status.linkCount == 1)
        unlink(folder.place("f"))
        #expect(try file.status().identity == status.identity)
        #expect(try file.status().linkCount == 0)
        #expect(try file.bytes(at: 0, count: 3) == Array("abc".utf8))
    }

    @Test func `says that it is absent`() {
        for path in [folder.place("none"), "/dev/null/x"] {
            #expect(throws: SystemError.self) { try OpenFile(path) }
            guard case .failure(let error) = FileStatus.of(path) else {
                Issue.record("\(path) is there")
                continue
            }
            #expect(error.isAbsence)
        }
        #expect(!SystemError(number: EACCES).isAbsence)
    }

    @Test func `says that a folder cannot be read`() throws {
        let file = try OpenFile(folder.path)
        #expect(try !file.status().isRegular)
        #expect(throws: SystemError(number: EISDIR)) { try file.bytes(at: 0, count: 1) }
    }
}
