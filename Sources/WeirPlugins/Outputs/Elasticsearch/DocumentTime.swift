import WeirCore
import WeirParse

/// Reads the time of a document from one of its fields.
final class DocumentTime {
    private let format: TimeFormat?
    private let zone: TimeZone

    init(format: TimeFormat?, zone: TimeZone) {
        self.format = format
        self.zone = zone
    }

    /// Reads the field that `time_key` names.
    func parse(_ batch: EventBatch, _ slot: Slot) -> (Timestamp, Int32)? {
        // A number is a time in seconds, whatever form texts have.
        guard let format, slot.type != .integer, slot.type != .float else {
            return freely(batch, slot)
        }
        return batch.withText(slot) { bytes in
            format.parse(bytes, zone: zone, now: .epoch).map { time, offset in
                (time, offset ?? zone.offsetSeconds(at: time))
            }
        }
    }

    /// Reads a time of any common form.
    func freely(_ batch: EventBatch, _ slot: Slot) -> (Timestamp, Int32)? {
        batch.withText(slot) { bytes in
            if slot.type == .integer || slot.type == .float {
                return UnixTime.parse(bytes).map { ($0, zone.offsetSeconds(at: $0)) }
            }
            return TimeFormat.parseFreely(bytes, zone: zone, now: .epoch).map { time, offset in
                (time, offset ?? zone.offsetSeconds(at: time))
            }
        }
    }
}
