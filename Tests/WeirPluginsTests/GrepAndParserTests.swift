import Testing
import WeirConfig
import WeirCore
import WeirTesting

@testable import WeirPlugins

@Suite("grep") struct GrepTests {
    private func rig(_ body: String) throws -> FilterRig {
        try FilterRig("<filter **>\n@type grep\n\(body)\n</filter>")
    }

    private func condition(_ name: String, _ key: String, _ pattern: String) -> String {
        "<\(name)>\nkey \(key)\npattern \(pattern)\n</\(name)>"
    }

    @Test func `matches the text of a value of any type, written or edited`() throws {
        let copy = """
            <filter **>
              @type record_transformer
              <record>
                c ${record["code"]}
              </record>
            </filter>

            """
        let rig = try FilterRig(
            copy
                + "<filter **>\n@type grep\n\(condition("regexp", "c", "/^(5|tr|a\\nb|1\\.0e)/"))\n</filter>"
        )
        let seen = rig.run(
            #"{"code":503}"#, #"{"code":"404"}"#, #"{"code":true}"#, #"{"code":"a\nb"}"#,
            #"{"code":1E20}"#, #"{"x":5}"#)
        #expect(seen.out.map { $0.record["code"] }.count == 4)
        #expect(seen.failed.isEmpty)
    }

    @Test func `refuses an event whose pattern takes too long`() throws {
        let rig = try rig(condition("regexp", "m", "/^(a|aa|a)*(a|aa|a)*$/"))
        let seen = rig.run(#"{"m":"\#(String(repeating: "a", count: 60))b"}"#, #"{"m":"aa"}"#)
        #expect(seen.out.map(\.record) == [["m": .string("aa")]])
        #expect(seen.failed.count == 1)
    }

    @Test func `refuses both kinds in one group, and a field with two patterns`() {
        let both = condition("regexp", "a", "/x/") + "\n" + condition("exclude", "b", "/x/")
        let twice = condition("exclude", "a", "/x/") + "\n" + condition("exclude", "a", "/y/")
        #expect(throws: ConfigurationError.self) { try rig("<or>\n\(both)\n</or>") }
        #expect(throws: ConfigurationError.self) { try rig(twice) }
        #expect(throws: ConfigurationError.self) { try rig("regexp1 a") }
        #expect(throws: ConfigurationError.self) { try rig(condition("regexp", "a", "/(/")) }
    }
}

@Suite("The parser filter") struct ParserFilterTests {
    private func rig(_ parameters: String, type: String = "json") throws -> FilterRig {
        try FilterRig(
            "<filter **>\n@type parser\nkey_name log\n\(parameters)\n<parse>\n@type \(type)\n</parse>\n</filter>"
        )
    }

    @Test func `takes the fields of each text into its own event`() throws {
        let seen = try rig("reserve_data true\nremove_key_name_field true").run(
            #"{"log":"{\"a\":\"x\\ny\"}","k":1}"#, #"{"k":2,"log":"{\"b\":[1,{}],\"k\":3}"}"#,
            #"{"log":"{}","k":4}"#)
        #expect(
            seen.out.map(\.record) == [
                ["k": .integer(1), "a": .string("x\ny")],
                ["k": .integer(3), "b": .array([.integer(1), .object([:])])],
                ["k": .integer(4)],
            ])
        #expect(seen.out.allSatisfy { $0.time == FilterRig.now })
    }

    @Test(arguments: [true, false])
    func `makes an event of every object of an array`(isReserved: Bool) throws {
        let rig = try rig("reserve_data \(isReserved)\nremove_key_name_field true")
        let seen = rig.run(
            #"{"log":"[{\"a\":1},{\"b\":2},{\"a\":3}]","k":0}"#, #"{"log":"{\"a\":4}","k":1}"#)
        func expected(_ record: Record, _ k: Int64) -> Record {
            var record = record
            if isReserved { record["k"] = .integer(k) }
            return record
        }
        #expect(
            seen.out.map(\.record) == [
                expected(["a": .integer(1)], 0), expected(["a": .integer(4)], 1),
                expected(["b": .integer(2)], 0), expected(["a": .integer(3)], 0),
            ])
    }

    @Test func `shows @ERROR the record as it was, beside the one that is kept`() throws {
        let seen = try rig("reserve_data true\nhash_value_field parsed").run(#"{"log":"{","k":1}"#)
        #expect(
            seen.out.map(\.record) == [
                ["log": .string("{"), "k": .integer(1), "parsed": .object([:])]
            ])
        #expect(seen.failed.map(\.record) == [["log": .string("{"), "k": .integer(1)]])
    }

    @Test func `puts a prefix before names, and the fields into an object`() throws {
        let prefixed = try rig("inject_key_prefix log.").run(#"{"log":"{\"a\":1,\"b\":\"\\t\"}"}"#)
        #expect(
            prefixed.out.map(\.record) == [["log.a": .integer(1), "log.b": .string("\t")]])
        let object = try rig("hash_value_field h").run(#"{"log":"{\"a\":1}"}"#)
        #expect(object.out.map(\.record) == [["h": .object(["a": .integer(1)])]])
    }

    @Test func `keeps the event's own time when the text tells none and none is estimated`() throws
    {
        let rig = try FilterRig(
            """
            <filter **>
              @type parser
              key_name log
              <parse>
                @type json
                estimate_current_event false
              </parse>
            </filter>
            """)
        let seen = rig.run(#"{"log":"{\"a\":1}"}"#, #"{"log":"{\"a\":2,\"time\":1600000000}"}"#)
        #expect(seen.out.map(\.time.seconds) == [1_700_000_000, 1_600_000_000])
    }
}
