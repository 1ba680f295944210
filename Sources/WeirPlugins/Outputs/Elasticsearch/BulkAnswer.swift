import WeirCore

/// What Elasticsearch answered to a `_bulk` request, item by item.
enum BulkAnswer: Equatable {
    /// Every item is stored.
    case allDone
    /// These items were not stored; the others were.
    case some(retry: [Int], rejected: [Rejected], reason: String)
    /// The answer is not one to this request: send all again.
    case unreadable(String)

    struct Rejected: Equatable {
        var index: Int
        var reason: String
    }

    /// Reads the answer to a request of `itemCount` items.
    ///
    /// - Returns: The outcome, and how many items were already there (409 on `create`).
    static func read(
        _ bytes: UnsafeRawBufferPointer, itemCount: Int
    ) -> (answer: BulkAnswer, duplicateCount: Int) {
        if BulkAnswerSkimmer.saysAllStored(bytes, itemCount: itemCount) { return (.allDone, 0) }
        guard case .object(let record)? = JSONValueReader.value(of: bytes),
            case .array(let items)? = record["items"]
        else {
            return (.unreadable("the answer is not a bulk answer"), 0)
        }
        guard items.count == itemCount else {
            return (.unreadable("the answer has \(items.count) items for \(itemCount)"), 0)
        }
        return read(items)
    }

    private static func read(_ items: [Value]) -> (answer: BulkAnswer, duplicateCount: Int) {
        var retry: [Int] = []
        var rejected: [Rejected] = []
        var duplicates = 0
        var reason = ""
        for (index, item) in items.enumerated() {
            guard case .object(let outer) = item, outer.fields.count == 1,
                let (action, value) = outer.fields.first,
                case .object(let result) = value, case .integer(let status)? = result["status"]
            else {
                return (.unreadable("item \(index) of the answer has no status"), 0)
            }
            switch status {
            case 200...299: break
            case 409 where action == "create": duplicates += 1
            case 429, 500...599:
                retry.append(index)
                if reason.isEmpty { reason = errorText(result, status) }
            case 400...499:
                rejected.append(Rejected(index: index, reason: errorText(result, status)))
            // Only a refusal that is told as one is final.
            default: return (.unreadable("item \(index) of the answer has status \(status)"), 0)
            }
        }
        if retry.isEmpty, rejected.isEmpty { return (.allDone, duplicates) }
        return (.some(retry: retry, rejected: rejected, reason: reason), duplicates)
    }

    private static func errorText(_ result: Record, _ status: Int64) -> String {
        guard case .object(let error)? = result["error"] else {
            if case .string(let text)? = result["error"] { return "\(status) \(text)" }
            return "\(status)"
        }
        var text = "\(status)"
        for key in ["type", "reason"] {
            if case .string(let part)? = error[key] { text += " \(part)" }
        }
        if case .object(let cause)? = error["caused_by"], case .string(let part)? = cause["reason"]
        {
            text += ": \(part)"
        }
        return String(text.prefix(2000))
    }
}
