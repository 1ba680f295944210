import Testing
import WeirCore
import WeirTesting

/// Captures of what Prometheus and Alertmanager send.
enum CapturedDelivery {
    /// The body of a capture, as it was sent.
    static func body(_ name: String) throws -> String {
        let bytes = try #require(SharedCases.bytes("conformance/alert-delivery/\(name).json"))
        let text = String(decoding: bytes, as: UTF8.self)
        let capture = try #require(JSONValueReader.value(of: text)?.object)
        return try #require(capture["raw_body"]?.string)
    }

    /// The texts of an object by their names.
    static func pairs(_ value: Value?) -> [(name: String, value: String)] {
        (value?.object?.fields ?? []).map { ($0.key, $0.value.string ?? "") }
    }

    /// A time in milliseconds.
    static func time(_ value: Value?) throws -> Int64 {
        var text = try #require(value?.string)
        let found = text.withUTF8 {
            TimeFormat.parseFreely(UnsafeRawBufferPointer($0), zone: .utc, now: .epoch)
        }
        return try #require(found).time.millisecondsSince1970
    }
}
