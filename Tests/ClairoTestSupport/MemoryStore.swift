public import ClairoCore
public import Foundation
internal import Synchronization

/// An in-memory `ObjectStore`, for tests that need any store.
public final class MemoryStore: DurableStore {
    private let objects = Mutex<[ObjectKey: Data]>([:])
    private let uploads = Mutex<[MultipartUpload: [Int: Data]]>([:])

    private let opens = Mutex(0)
    private let bucket: String
    private let faults = Mutex(Faults())

    /// Injected faults.
    public struct Faults: Sendable {
        /// The number of last parts that a listing omits.
        public var unlistedParts = 0
        /// The number of bytes that an object loses at its end on completion.
        public var lostBytes = 0
    }

    public func setFaults(_ change: (inout Faults) -> Void) { faults.withLock { change(&$0) } }

    /// - Parameter bucket: The bucket's name, for tests with several stores.
    public init(bucket: String = "memory") { self.bucket = bucket }

    /// How often an object was opened for reading.
    public var openCount: Int { opens.withLock(\.self) }

    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) { objects.withLock { $0[key] = data } }

    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        var whole = Data()
        try body { (data: Data) throws(ClairoError) in whole.append(data) }
        try put(whole, at: key)
    }

    public func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        guard let data = objects.withLock({ $0[key] }) else { throw .noInput("\(key) does not exist") }
        return data
    }

    public func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource {
        opens.withLock { $0 += 1 }
        return MemorySource(try get(key))
    }

    public func location(of key: ObjectKey) -> ObjectLocation {
        ObjectLocation(bucket: bucket, key: key.rawValue, url: "memory:\(key)")
    }

    public func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool {
        objects.withLock { objects in
            if objects[key] != nil { return false }
            objects[key] = data
            return true
        }
    }

    public func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? {
        guard let data = objects.withLock({ $0[key] }) else { return nil }
        return ObjectInfo(
            key: key, size: Int64(data.count), etag: Checksum.md5(data), modified: Timestamp(microseconds: 0))
    }

    public func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        let found = objects.withLock { $0.keys.filter { $0.rawValue.hasPrefix(prefix) } }
        return Array(found.filter { candidate in key.map { $0 < candidate } ?? true }.sorted().prefix(limit))
    }

    public func beginUpload(
        at key: ObjectKey, sizes: PartSizes, sender: PartSender
    ) throws(ClairoError) -> MultipartUpload {
        let upload = MultipartUpload(key: key, id: UUID().uuidString, sizes: sizes)
        uploads.withLock { $0[upload] = [:] }
        return upload
    }

    public func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload] {
        uploads.withLock { $0.keys.filter { $0.key.rawValue.hasPrefix(prefix) } }.sorted { $0.id < $1.id }
    }

    public func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart {
        let isKnown = uploads.withLock { uploads in
            uploads[upload]?[number] = data
            return uploads[upload] != nil
        }
        guard isKnown else { throw .noInput("Upload \(upload.id) does not exist") }
        return Self.part(number, data)
    }

    public func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart] {
        guard let parts = uploads.withLock({ $0[upload] }) else { throw .noInput("Upload \(upload.id) does not exist") }
        return parts.sorted { $0.key < $1.key }.dropLast(faults.withLock { $0.unlistedParts })
            .map { Self.part($0.key, $0.value) }
    }

    public func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo {
        guard let stored = uploads.withLock({ $0[upload] }) else {
            throw .noInput("Upload \(upload.id) does not exist")
        }
        guard !parts.isEmpty,
            parts.enumerated().allSatisfy({ index, part in
                part.number == index + 1 && stored[part.number].map(Checksum.md5) == part.etag
            })
        else { throw .defect("The parts of upload \(upload.id) are not what the store has") }
        uploads.withLock { $0[upload] = nil }
        var whole = parts.reduce(into: Data()) { $0.append(stored[$1.number] ?? Data()) }
        whole.removeLast(faults.withLock { $0.lostBytes })
        try put(whole, at: upload.key)
        return ObjectInfo(
            key: upload.key, size: Int64(whole.count), etag: Checksum.md5(whole), modified: Timestamp(microseconds: 0))
    }

    public func abort(_ upload: MultipartUpload) throws(ClairoError) { uploads.withLock { $0[upload] = nil } }

    public func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String? { nil }

    public func check() throws(ClairoError) {}

    private static func part(_ number: Int, _ data: Data) -> UploadedPart {
        let md5 = Checksum.md5(data)
        return UploadedPart(number: number, size: data.count, etag: md5, checksum: .md5(md5))
    }

    public func delete(_ key: ObjectKey) throws(ClairoError) { objects.withLock { $0[key] = nil } }
}

/// An in-memory `ByteSource` that can simulate short reads and size changes.
public struct MemorySource: ByteSource {
    public let size: Int64
    private let data: Data
    private let largestRead: Int

    /// - Parameters:
    ///   - largestRead: The maximum number of bytes that one call returns.
    ///   - claimedSize: A size that differs from the data, as for a file that has changed.
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
