import WeirCore

/// Calls `body` with each field of a message of protocol buffers.
func fields(
    of message: UnsafeRawBufferPointer,
    _ body: (Int, ProtobufReader.Value) throws(SpanDecodingError) -> Void
) throws(SpanDecodingError) {
    var reader = ProtobufReader(message)
    while !reader.isAtEnd {
        guard let (number, value) = reader.field() else {
            throw SpanDecodingError("a message that is cut off or not protocol buffers")
        }
        try body(number, value)
    }
}
