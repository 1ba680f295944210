enum JSONValueReader { static func value(of text: UnsafeRawBufferPointer) -> Value? { nil } }
enum JSONValueWriter { static func append(_ value: Value, to buffer: inout ByteBuffer) {} }
