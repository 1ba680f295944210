import Testing
import WeirConfig
import WeirCore
import WeirTesting

@testable import WeirPlugins

@Suite("record_transformer") struct RecordTransformerTests {
    private func rig(_ record: String, parameters: String = "") throws -> FilterRig {
        try FilterRig(
            """
            <filter **>
              @type record_transformer
              \(parameters)
              <record>
                \(record)
              </record>
            </filter>
            """)
    }

    private func records(_ events: [SeenEvent]) -> [Record] { events.map(\.record) }

    @Test func `shows templates the record as it was, also when earlier filters changed it`()
        throws
    {
        let swap = """
            <filter **>
              @type record_transformer
              <record>
                a ${record["b"]}
                b ${record["a"]}
              </record>
            </filter>

            """
        let seen = try FilterRig(swap + swap + swap).run(#"{"a":1,"b":"x"}"#, #"{"b":2,"a":[3]}"#)
        #expect(
            records(seen.out) == [
                ["a": .string("x"), "b": .integer(1)],
                ["a": .integer(2), "b": .array([.integer(3)])],
            ])
    }

    @Test func `gives each event of a batch its own values`() throws {
        let rig = try rig(
            """
            copy ${record["k"]}
            text <${record["k"]}> of ${tag_parts[1]}
            same ${tag}@${hostname}
            """)
        let seen = rig.run(
            #"{"k":"a\n\"b\""}"#, #"{"z":0,"k":1.50}"#, #"{"k":null}"#, #"{"k":{"x":[true]}}"#,
            tag: "mesh.web")
        let same = Value.string("mesh.web@kit-host.example")
        #expect(
            records(seen.out) == [
                [
                    "k": .string("a\n\"b\""), "copy": .string("a\n\"b\""),
                    "text": .string("<a\n\"b\"> of web"), "same": same,
                ],
                [
                    "z": .integer(0), "k": .float(1.5), "copy": .float(1.5),
                    "text": .string("<1.5> of web"), "same": same,
                ],
                ["k": .null, "copy": .null, "text": .string("<> of web"), "same": same],
                [
                    "k": .object(["x": .array([.bool(true)])]),
                    "copy": .object(["x": .array([.bool(true)])]),
                    "text": .string(#"<{"x"=>[true]}> of web"#), "same": same,
                ],
            ])
    }

    @Test func `follows the tag from batch to batch`() throws {
        let rig = try rig("${tag_parts[0]} ${tag_suffix[1]}")
        #expect(records(rig.run("{}", tag: "a.b.c").out) == [["a": .string("b.c")]])
        #expect(records(rig.run("{}", tag: "d.e").out) == [["d": .string("e")]])
    }

    @Test func `begins an empty record with the kept fields that are there`() throws {
        let rig = try rig(
            "n ${record[\"a\"]}",
            parameters: "renew_record true\n  keep_keys a,b,c\n  remove_keys c,$.b.x")
        let seen = rig.run(#"{"a":1,"b":{"x":1,"y":2},"c":3,"d":4}"#, #"{"d":4,"c":5}"#)
        #expect(
            records(seen.out) == [
                ["a": .integer(1), "b": .object(["y": .integer(2)]), "n": .integer(1)],
                ["n": .null],
            ])
    }

    @Test func `makes keys of fields`() throws {
        let rig = try rig(
            "${record[\"name\"]} ${record[\"value\"]}",
            parameters: "remove_keys name,value,$.in.x")
        let seen = rig.run(
            #"{"name":"a","value":1,"in":{"x":1}}"#, #"{"name":"b","value":"v"}"#)
        #expect(
            records(seen.out) == [
                ["in": .object([:]), "a": .integer(1)], ["b": .string("v")],
            ])
    }

    @Test func `reaches into fields with enable_ruby, and fails where Ruby would`() throws {
        let rig = try rig(
            """
            t ${record["a"]["b"]}
            d x${record.dig("a", "l", -1)}
            """, parameters: "enable_ruby true")
        let seen = rig.run(
            #"{"a":{"b":"deep","l":[1,2]}}"#, #"{"k":1}"#, #"{"a":{"b":null}}"#)
        #expect(
            records(seen.out) == [
                [
                    "a": .object(["b": .string("deep"), "l": .array([.integer(1), .integer(2)])]),
                    "t": .string("deep"), "d": .string("x2"),
                ],
                ["a": .object(["b": .null]), "t": .null, "d": .string("x")],
            ])
        #expect(records(seen.failed) == [["k": .integer(1)]])
    }

    @Test(arguments: [
        "t ${record[\"m\"].upcase}", "t ${record[\"code\"].to_i + 1}", "t ${Time.now}",
        "t ${record[\"message\"]", "${tag.upcase} x", "t {\"k\":\"${1 + 1}\"}",
        "t a\\x41", "t ${record[0]}", "t ${record.dig()}",
    ])
    func `refuses Ruby at its place, and says what there is`(line: String) {
        do {
            _ = try rig(line, parameters: "enable_ruby true")
            Issue.record("`\(line)` is accepted")
        } catch let error as ConfigurationError {
            #expect(error.diagnostics.count == 1)
            #expect(error.description.contains("which Weir does not run"))
            #expect(error.description.contains("${record[\"a\"][\"b\"]}"))
            #expect(error.diagnostics.first?.location.line == 5)
        } catch {
            Issue.record(error)
        }
    }

    @Test func `refuses keep_keys while the record is kept`() {
        #expect(throws: ConfigurationError.self) { try rig("a b", parameters: "keep_keys a") }
    }

    @Test func `takes the time from a number of seconds, and refuses anything else`() throws {
        let rig = try rig("a b", parameters: "renew_time_key ts")
        let seen = rig.run(
            #"{"ts":1700000001}"#, #"{"ts":" 1700000002.5"}"#, #"{"ts":"soon"}"#, #"{"ts":[1]}"#,
            #"{"ts":-0.25}"#, #"{"x":1}"#)
        #expect(
            seen.out.map(\.time) == [
                Timestamp(seconds: 1_700_000_001),
                Timestamp(seconds: 1_700_000_002, nanoseconds: 500_000_000),
                Timestamp(seconds: -1, nanoseconds: 750_000_000),
                Timestamp(seconds: 1_700_000_000),
            ])
        #expect(records(seen.failed) == [["ts": .string("soon")], ["ts": .array([.integer(1)])]])
    }

    @Test func `remarks on placeholders that stand for nothing`() throws {
        let text = """
            <filter **>
              @type record_transformer
              <record>
                a ${hostnam}
                b [1, "${tag}"
              </record>
            </filter>
            """
        let (root, _) = ConfigReader.read(
            text: Array(text.replacing("[1, \"${tag}\"", with: "'[1'").utf8), name: "case.conf",
            files: NoFiles())
        var diagnostics: [Diagnostic] = []
        let element = try #require(root.elements.first)
        let section = Section(
            element, as: RecordTransformerFilter.declaration, catalog: FilterRig.catalog,
            into: &diagnostics)
        let filter = try RecordTransformerFilter(section, hostName: "h")
        #expect(
            filter.warnings.map(\.message) == [
                "`${hostnam}` stands for nothing", "`[1` is not JSON, and is taken as a text",
            ])
        #expect(filter.warnings.map(\.location.line) == [4, 5])
    }

    @Test(arguments: [
        (1.0, "1.0"), (0.0001, "0.0001"), (0.00001, "1.0e-05"), (1e15, "1000000000000000.0"),
        (1e16, "1.0e+16"), (-1234.5, "-1234.5"), (1.25e-7, "1.25e-07"), (1e100, "1.0e+100"),
        (0.0, "0.0"), (123456789012345.6, "123456789012345.6"),
    ])
    func `writes floats into texts as Ruby does`(number: Double, text: String) {
        #expect(RubyText.text(.float(number)) == text)
    }
}
