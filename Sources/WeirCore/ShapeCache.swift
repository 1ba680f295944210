/// Shapes seen lately by one parser, so that rows that look alike share one.
final class ShapeCache {
    /// Most shapes kept: beyond them a log does not have formats but random keys.
    private static let shapeLimit = 256

    private var shapes: [ExactNames: Shape] = [:]

    /// The shape of these names.
    func shape(of names: [String]) -> Shape {
        if let shape = shapes[ExactNames(names)] { return shape }
        if shapes.count >= Self.shapeLimit { shapes.removeAll(keepingCapacity: true) }
        let shape = Shape(names)
        shapes[ExactNames(names)] = shape
        return shape
    }

    /// The names that the keys' texts stand for.
    func names(_ keys: [(offset: Int, length: Int)], base: UnsafePointer<UInt8>) -> KeyNames {
        var names: [String] = []
        names.reserveCapacity(keys.count)
        var isRaw = true
        for key in keys {
            let text = UnsafeBufferPointer(start: base + key.offset, count: key.length)
            if text.contains(UInt8(ascii: "\\")) {
                isRaw = false
                names.append(unescapedJSON(text))
            } else {
                let name = String(decoding: text, as: UTF8.self)
                // Malformed UTF-8 became U+FFFD: the text can no longer be copied as it stands.
                if name.utf8.count != key.length || name.unicodeScalars.contains("\u{FFFD}") {
                    isRaw = false
                }
                names.append(name)
            }
        }
        return KeyNames(names: names, isRaw: isRaw)
    }
}

/// The names of one object's keys.
struct KeyNames {
    var names: [String]
    /// Whether each name is its key's text, without escapes or repairs.
    var isRaw: Bool

    /// The count of names when none is repeated; otherwise `nil`.
    func repetitionFree() -> Int? {
        Set(names.map(ExactName.init)).count == names.count ? names.count : nil
    }
}
