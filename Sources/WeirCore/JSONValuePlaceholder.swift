public enum JSONValueReader { public static func value(of text: UnsafeRawBufferPointer) -> Value? { nil } }
public enum JSONValueWriter { public static func append(_ value: Value, to buffer: inout ByteBuffer) {} }
