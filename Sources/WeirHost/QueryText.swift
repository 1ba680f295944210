extension String {
    /// The text as a part of an address's query: all but letters, digits and `_` by their numbers.
    public var asQueryPart: String {
        let digits = Array("0123456789ABCDEF")
        return utf8.map { byte in
            let isPlain = (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x5f
            return isPlain
                ? String(UnicodeScalar(byte))
                : "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }.joined()
    }
}
