internal import CMariaDB

/// Owns an array of `MYSQL_BIND` and the memory that it points to. Both keep their address for the lifetime of this
/// object.
final class Binds {
    enum Kind { case integer, real, text, bytes }

    let pointer: UnsafeMutablePointer<MYSQL_BIND>
    private let count: Int
    private var kinds: [Kind] = []
    private let lengths: UnsafeMutablePointer<UInt>
    private let nulls: UnsafeMutablePointer<my_bool>
    private var buffers: [UnsafeMutableRawPointer] = []

    private init(count: Int) {
        self.count = count
        pointer = .allocate(capacity: count)
        pointer.initialize(repeating: MYSQL_BIND(), count: count)
        lengths = .allocate(capacity: count)
        lengths.initialize(repeating: 0, count: count)
        nulls = .allocate(capacity: count)
        nulls.initialize(repeating: 0, count: count)
        for index in 0..<count {
            pointer[index].length = lengths + index
            pointer[index].is_null = nulls + index
        }
    }

    deinit {
        for buffer in buffers { buffer.deallocate() }
        pointer.deallocate()
        lengths.deallocate()
        nulls.deallocate()
    }

    /// Binds the arguments of a statement.
    convenience init(_ values: [Value]) {
        self.init(count: values.count)
        for (index, value) in values.enumerated() {
            switch value {
            case .null: pointer[index].buffer_type = MYSQL_TYPE_NULL
            case .integer(let value): withUnsafeBytes(of: value) { set(index, MYSQL_TYPE_LONGLONG, $0) }
            case .real(let value): withUnsafeBytes(of: value) { set(index, MYSQL_TYPE_DOUBLE, $0) }
            case .text(var value): value.withUTF8 { set(index, MYSQL_TYPE_STRING, UnsafeRawBufferPointer($0)) }
            case .bytes(let value): value.withUnsafeBytes { set(index, MYSQL_TYPE_BLOB, $0) }
            }
        }
    }

    /// Binds the columns of a result. Only numbers get a buffer. Text and blobs are fetched separately, once their
    /// length is known.
    convenience init(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) {
        self.init(count: fields.count)
        for (index, field) in fields.enumerated() {
            let kind = Self.kind(field)
            kinds.append(kind)
            switch kind {
            case .integer: withUnsafeBytes(of: Int64(0)) { set(index, MYSQL_TYPE_LONGLONG, $0) }
            case .real: withUnsafeBytes(of: Double(0)) { set(index, MYSQL_TYPE_DOUBLE, $0) }
            case .text: pointer[index].buffer_type = MYSQL_TYPE_STRING
            case .bytes: pointer[index].buffer_type = MYSQL_TYPE_BLOB
            }
        }
    }

    func kind(_ index: Int) -> Kind { kinds[index] }
    func isNull(_ index: Int) -> Bool { nulls[index] != 0 }
    func length(_ index: Int) -> Int { Int(lengths[index]) }
    func integer(_ index: Int) -> Int64 { pointer[index].buffer.load(as: Int64.self) }
    func real(_ index: Int) -> Double { pointer[index].buffer.load(as: Double.self) }

    /// Lends a copy of one column's bind. The library writes the column's value to `buffer`.
    func withBuffer(
        _ index: Int, _ buffer: UnsafeMutableBufferPointer<UInt8>, _ body: (UnsafeMutablePointer<MYSQL_BIND>) -> Int32
    ) -> Int32 {
        var bind = pointer[index]
        bind.buffer = UnsafeMutableRawPointer(buffer.baseAddress)
        bind.buffer_length = UInt(buffer.count)
        return withUnsafeMutablePointer(to: &bind, body)
    }

    private func set(_ index: Int, _ type: enum_field_types, _ bytes: UnsafeRawBufferPointer) {
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: max(8, bytes.count), alignment: 8)
        if let start = bytes.baseAddress { buffer.copyMemory(from: start, byteCount: bytes.count) }
        buffers.append(buffer)
        pointer[index].buffer_type = type
        pointer[index].buffer = buffer
        pointer[index].buffer_length = UInt(bytes.count)
        lengths[index] = UInt(bytes.count)
    }

    private static func kind(_ field: MYSQL_FIELD) -> Kind {
        switch field.type {
        case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_INT24, MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_YEAR:
            .integer
        case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE: .real
        case MYSQL_TYPE_TINY_BLOB, MYSQL_TYPE_BLOB, MYSQL_TYPE_MEDIUM_BLOB, MYSQL_TYPE_LONG_BLOB, MYSQL_TYPE_STRING,
            MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_VARCHAR, MYSQL_TYPE_BIT, MYSQL_TYPE_GEOMETRY:
            // Character set 63 is `binary`: these types hold text in any other character set.
            field.charsetnr == 63 ? .bytes : .text
        default: .text
        }
    }
}
