import Testing
import WeirConfig
import WeirCore
import WeirTesting

/// Where Weir reads a typed value otherwise than Fluentd 1.16.9, and why.
private let deliberateDifferences: [String: String] = [
    "type-0019": "a text that is no size is refused; Fluentd reads the digits that it finds, or 0",
    "type-0023": "a text that is no size is refused; Fluentd reads the digits that it finds, or 0",
    "type-0037": "a text that is no size is refused; Fluentd reads the digits that it finds, or 0",
    "type-0042": "a text that is no size is refused; Fluentd reads the digits that it finds, or 0",
    "type-0043": "a text that is no size is refused; Fluentd reads the digits that it finds, or 0",
    "type-0044": "a text that is no size is refused; Fluentd reads the digits that it finds, or 0",
    "type-0047": "a text that is no size is refused; Fluentd reads the digits that it finds, or 0",
    "type-0048": "a text that is no size is refused; Fluentd reads the digits that it finds, or 0",
    "type-0052": "`10b` is ten bytes, as Fluentd reads it unless `strict_config_value` is set",
    "type-0028": "the sign counts; Fluentd's unit pattern skips it",
    "type-0067": "half a second is half a second; Fluentd reads the digits before the `s` only",
    "type-0068": "half a second is half a second; Fluentd reads the digits before the `s` only",
    "type-0077":
        "Fluentd reads `100ms` as 100 minutes and `1h30m` as 30: refused, with what to write",
    "type-0078":
        "Fluentd reads `100ms` as 100 minutes and `1h30m` as 30: refused, with what to write",
    "type-0079":
        "Fluentd reads `100ms` as 100 minutes and `1h30m` as 30: refused, with what to write",
    "type-0080":
        "Fluentd reads `100ms` as 100 minutes and `1h30m` as 30: refused, with what to write",
    "type-0111": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0113": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0115": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0117": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0119": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0121": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0127": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0129": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0131": "neither true nor false: refused; Fluentd takes it for nil",
    "type-0139":
        "not a whole number in decimal: refused; Fluentd reads what stands before the first other character",
    "type-0147":
        "not a whole number in decimal: refused; Fluentd reads what stands before the first other character",
    "type-0148":
        "not a whole number in decimal: refused; Fluentd reads what stands before the first other character",
    "type-0151":
        "not a whole number in decimal: refused; Fluentd reads what stands before the first other character",
    "type-0159":
        "not a whole number in decimal: refused; Fluentd reads what stands before the first other character",
    "type-0160":
        "not a whole number in decimal: refused; Fluentd reads what stands before the first other character",
    "type-0161":
        "not a whole number in decimal: refused; Fluentd reads what stands before the first other character",
    "type-0163":
        "not a whole number in decimal: refused; Fluentd reads what stands before the first other character",
    "type-0150": "decimal, as Fluentd reads it too unless `strict_config_value` is set",
    "type-0156": "decimal, as Fluentd reads it too unless `strict_config_value` is set",
    "type-0174": "decimal, as Fluentd reads it too unless `strict_config_value` is set",
    "type-0181": "not a finite number: refused; Fluentd reads 0 or what stands before",
    "type-0185": "not a finite number: refused; Fluentd reads 0 or what stands before",
    "type-0187": "not a finite number: refused; Fluentd reads 0 or what stands before",
    "type-0309":
        "a pattern without its closing slash is refused; Fluentd takes an empty one, which matches all",
    "type-0317":
        "a pattern without its closing slash is refused; Fluentd takes an empty one, which matches all",
    "type-0318":
        "a pattern without its closing slash is refused; Fluentd takes an empty one, which matches all",
]

@Suite("Typed values", .enabled(if: SharedCases.arePresent))
struct ValueTypesConformanceTests {
    @Test func `are read as Fluentd reads them, or differ for a reason`() {
        var compared = 0
        for record in SharedCases.records("conformance/fluentd/config/types.jsonl") {
            guard let id = record["id"]?.string, let type = record["type"]?.string,
                let text = record["value"]?.string, record["opts"]?.object?["value_type"] == nil,
                let got = value(type, text, record["opts"]?.object)
            else { continue }
            compared += 1
            let expected = record["error"] == nil ? record["result"] : nil
            let isSame =
                switch (got, expected) {
                case (nil, nil): true
                case (let got?, let expected?): equal(got, expected)
                default: false
                }
            if deliberateDifferences[id] == nil {
                #expect(isSame, "\(id) \(type) \(text.debugDescription)")
            } else {
                #expect(!isSame, "\(id) is the same as Fluentd's: strike it from the table")
            }
        }
        #expect(compared >= 150)
    }

    private func equal(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.integer(let a), .float(let b)): Double(a) == b
        case (.float(let a), .integer(let b)): a == Double(b)
        default: left == right
        }
    }

    /// The value in the captured form; `.some(nil)` when refused, `nil` for types not compared.
    private func value(_ type: String, _ text: String, _ options: Record?) -> Value?? {
        do throws(ValueError) {
            switch type {
            case "size": return .some(.integer(Int64(try ValueText.size(text))))
            case "time":
                let parts = try ValueText.duration(text).components
                return .some(.float(Double(parts.seconds) + Double(parts.attoseconds) / 1e18))
            case "bool": return .some(.bool(try ValueText.bool(text)))
            case "integer": return .some(.integer(Int64(try ValueText.integer(text))))
            case "float": return .some(.float(try ValueText.float(text)))
            case "array": return .some(.array(try ValueText.array(text)))
            case "hash": return .some(.object(try ValueText.hash(text)))
            case "string": return .some(.string(text))
            case "enum":
                let words = options?["list"]?.array?.compactMap(\.string) ?? []
                return .some(.object(["$symbol": .string(try ValueText.word(text, of: words))]))
            case "regexp":
                let literal = try ValueText.regex(text)
                do { _ = try Regex(literal.source) } catch { return .some(nil) }
                let bits = (literal.ignoresCase ? 1 : 0) + (literal.dotMatchesLineEnds ? 4 : 0)
                return .some(
                    .object(["$regexp": .string(literal.source), "options": .integer(Int64(bits))]))
            default: return nil
            }
        } catch {
            return .some(nil)
        }
    }
}
