import WeirCore
import WeirPipeline

/// Fills the placeholders of a chunk's keys into a parameter: `${tag}`, `${tag[N]}`, dates.
enum ChunkText {
    /// The text of a template for chunks of a key.
    ///
    /// Dates are those of the chunk's time slot; without one they stay as written.
    static func filled(
        _ template: String, from key: ChunkKey, fields: [String] = [], zone: TimeZone = .local
    ) -> String {
        var text = template
        if let slot = key.timeSlot, text.contains("%") {
            text = TimeFormat.text(of: Timestamp(seconds: slot), format: text, zone: zone)
        }
        guard text.contains("${") else { return text }
        var filled = ""
        var rest = Substring(text)
        while let start = rest.firstRange(of: "${") {
            filled += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else {
                return filled + rest[start.lowerBound...]
            }
            filled += value(String(rest[start.upperBound..<end]), key, fields)
            rest = rest[rest.index(after: end)...]
        }
        return filled + rest
    }

    private static func value(_ name: String, _ key: ChunkKey, _ fields: [String]) -> String {
        let tag = key.tag ?? ""
        if name == "tag" { return tag }
        if name.hasPrefix("tag["), name.hasSuffix("]"),
            let number = Int(name.dropFirst(4).dropLast())
        {
            let parts = tag.split(separator: ".", omittingEmptySubsequences: false)
            let place = number < 0 ? parts.count + number : number
            return parts.indices.contains(place) ? String(parts[place]) : ""
        }
        guard let index = fields.firstIndex(of: name), key.fields.indices.contains(index) else {
            return ""
        }
        return key.fields[index] ?? ""
    }
}
