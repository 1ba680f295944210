import Testing
import WeirHost

@Suite("A pattern of file names") struct FileNamesTests {
    let folder = HostFolder()

    @Test(arguments: [
        ("a.log", ["a.log"]), ("*.log", ["a.log", "b.log"]), ("?.log", ["a.log", "b.log"]),
        ("[b-z].log", ["b.log"]), ("{a,b}.log", ["a.log", "b.log"]),
        ("{a,s/{c,d}}.{log,txt}", ["a.log", "s/c.log", "s/d.txt"]),
        ("*/c.log", ["l/c.log", "s/c.log"]),
        ("**/*.log", ["a.log", "b.log", "s/c.log", "s/t/e.log"]),
        ("s/**/e.log", ["s/t/e.log"]), ("*", ["a.log", "b.log", "l", "s"]), ("none*", []),
        ("l/c.log", ["l/c.log"]), ("s/**.log", ["s/c.log"]), ("{a.log", []), ("", [""]),
    ])
    func `stands for the paths that it names`(pattern: String, names: [String]) throws {
        for name in ["a.log", "b.log", ".h.log", "s/c.log", "s/d.txt", "s/t/e.log", ".x/f.log"] {
            try folder.write(name)
        }
        folder.link("s", "l")
        #expect(folder.matching(pattern) == names)
    }

    @Test func `goes into folders whose names look like patterns`() throws {
        try folder.write("[x]*/a.log")
        try folder.write("x/a.log")
        #expect(folder.matching("**/a.log") == ["[x]*/a.log", "x/a.log"])
    }

    @Test(arguments: [
        ("/v/*.log", "/v/a.log", true), ("/v/*.log", "/v/s/a.log", false),
        ("/v/*.log", "/v/.a.log", false), ("/v/?.log", "/v/a.log", true),
        ("/v/[ab].log", "/v/c.log", false), ("/v/[!ab].log", "/v/c.log", true),
        ("/v/{a,b}*.log", "/v/b1.log", true), ("/v/**/a.log", "/v/a.log", true),
        ("/v/**/a.log", "/v/s/t/a.log", true), ("/v/**/a.log", "/v/.s/a.log", false),
        ("/v/a.log", "/v/a.log", true), ("/v", "/v/a.log", false), ("**", "/v/a.log", false),
    ])
    func `names a path or does not`(pattern: String, path: String, isNamed: Bool) {
        #expect(FileNames.pattern(pattern, names: path) == isNamed)
    }

    @Test func `with very many words is not expanded without end`() {
        let pattern = String(repeating: "{a,b,c,d}", count: 20)
        #expect(!FileNames.pattern(pattern, names: "x"))
    }

    @Test(arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b", "a"), ("/a/b/", "/a/b")])
    func `has a folder`(path: String, folder: String) {
        #expect(FileNames.folder(of: path) == folder)
    }

    @Test func `lists what a folder holds, or nothing`() throws {
        try folder.write("a")
        try folder.write(".b")
        #expect(FileNames.inFolder(folder.path).sorted() == [".b", "a"])
        #expect(FileNames.inFolder(folder.place("none")).isEmpty)
    }

    @Test func `leads through links`() throws {
        try folder.write("a")
        folder.link("a", "l")
        #expect(FileNames.resolved(folder.place("l")) == FileNames.resolved(folder.place("a")))
        #expect(FileNames.resolved("/none/such") == "/none/such")
    }
}
