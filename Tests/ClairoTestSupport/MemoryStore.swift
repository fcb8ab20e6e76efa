public import ClairoCore
public import Foundation
internal import Synchronization

/// An `ObjectStore` in memory, for tests of code that only needs some store.
public final class MemoryStore: ObjectStore {
    private let objects = Mutex<[ObjectKey: Data]>([:])

    public init() {}

    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) { objects.withLock { $0[key] = data } }

    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        var whole = Data()
        try body { (data: Data) throws(ClairoError) in whole.append(data) }
        try put(whole, at: key)
    }

    public func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        guard let data = objects.withLock({ $0[key] }) else { throw .noInput("There is no \(key)") }
        return data
    }

    public func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { MemorySource(try get(key)) }

    public func size(of key: ObjectKey) throws(ClairoError) -> Int64? {
        objects.withLock { $0[key].map { Int64($0.count) } }
    }

    public func list(prefix: String) throws(ClairoError) -> [ObjectKey] {
        objects.withLock { $0.keys.filter { $0.rawValue.hasPrefix(prefix) }.sorted() }
    }

    public func delete(_ key: ObjectKey) throws(ClairoError) { objects.withLock { $0[key] = nil } }
}

/// Bytes in memory as a `ByteSource`; it can be made to misbehave as files and networks do.
public struct MemorySource: ByteSource {
    public let size: Int64
    private let data: Data
    private let largestRead: Int

    /// - Parameters:
    ///   - largestRead: bytes that one call gives at most.
    ///   - claimedSize: another size than there are bytes, as of a file that has changed since.
    public init(_ data: Data, largestRead: Int = .max, claimedSize: Int64? = nil) {
        self.data = Data(data)
        self.largestRead = largestRead
        size = claimedSize ?? Int64(data.count)
    }

    public func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        guard offset >= 0, offset < data.count else { return 0 }
        let count = min(buffer.count, data.count - Int(offset), largestRead)
        data[Int(offset)..<Int(offset) + count].withUnsafeBytes { buffer.copyMemory(from: $0) }
        return count
    }
}
