internal import struct Foundation.Data

/// A store that is a bucket or a directory itself, not a view of a part of one.
public protocol BackingStore: ObjectStore {
    /// The location of an object, for database rows, messages and display.
    func location(of key: ObjectKey) -> ObjectLocation

    /// Checks that the store is available and writable. For `doctor` and `/readyz`.
    func check() throws(ClairoError)

    /// The store's total size. Lists every object: a bucket with a million objects takes thousands of requests.
    func usage() throws(ClairoError) -> StoreUsage

    /// What the service has refused so far and Clairo does without: one clause for each, for `doctor`.
    var limitations: [String] { get }

    /// Removes what killed writers left under `prefix` besides objects and multipart uploads, if it has not been written
    /// to for `seconds`. A store whose writes leave nothing behind does nothing.
    /// - Parameters:
    ///   - prefix: Empty, or with a trailing slash.
    ///   - isDryRun: Whether to count only.
    /// - Returns: What was removed.
    func removePartialObjects(
        prefix: String, olderThanSeconds seconds: Double, isDryRun: Bool
    ) throws(ClairoError) -> StoreUsage
}

extension BackingStore where Self: MultipartStore {
    /// Sends an object in parts, and deletes it together with one that does not exist. For `doctor`.
    public func checkUpload() throws(ClairoError) {
        let (key, data) = Self.checkObject
        let upload = try beginUpload(at: key, partSize: PartSizes.smallest)
        do throws(ClairoError) {
            _ = try complete(upload, parts: [try putPart(data, number: 1, of: upload)])
        } catch {
            try? abort(upload)
            throw error
        }
        try compare(key, with: data) { (key) throws(ClairoError) in
            try delete([key, ObjectKey("\(key)-none")])
        }
    }
}

extension BackingStore {
    /// No limitations.
    public var limitations: [String] { [] }

    /// Writes, reads and deletes a small object, which proves permissions and free space. For `doctor`.
    public func checkRoundTrip() throws(ClairoError) {
        let (key, data) = Self.checkObject
        try put(data, at: key)
        try compare(key, with: data) { (key) throws(ClairoError) in try delete(key) }
    }

    /// An object for checks: its key and its bytes.
    fileprivate static var checkObject: (ObjectKey, Data) {
        (
            ObjectKey(".clairo-check-\(UInt64.random(in: .min ... .max))"),
            Data((0..<4096).map { _ in UInt8.random(in: .min ... .max) })
        )
    }

    /// Reads and deletes an object.
    fileprivate func compare(
        _ key: ObjectKey, with data: Data, delete: (ObjectKey) throws(ClairoError) -> Void
    ) throws(ClairoError) {
        let read: Data
        do throws(ClairoError) {
            read = try get(key)
        } catch {
            try? delete(key)
            throw error
        }
        try delete(key)
        guard read == data else {
            throw .inputOutput("\(location(of: key).url) was read back with different content")
        }
    }

    public func removePartialObjects(
        prefix: String, olderThanSeconds seconds: Double, isDryRun: Bool
    ) throws(ClairoError) -> StoreUsage { StoreUsage() }

    /// An implementation for stores whose listings have no sizes.
    public func usage() throws(ClairoError) -> StoreUsage {
        var usage = StoreUsage()
        for key in try list(prefix: "") {
            if let size = try size(of: key) { usage.add(bytes: size) }
        }
        return usage
    }
}

/// The contents of a store, without incomplete uploads.
public struct StoreUsage: Sendable, Hashable {
    /// Number of objects.
    public var objects: Int
    /// Size of all objects.
    public var bytes: Int64

    public init(objects: Int = 0, bytes: Int64 = 0) {
        self.objects = objects
        self.bytes = bytes
    }

    public static func += (usage: inout StoreUsage, other: StoreUsage) {
        usage.objects += other.objects
        usage.bytes += other.bytes
    }

    /// Counts one object.
    public mutating func add(bytes: Int64) {
        objects += 1
        self.bytes += bytes
    }
}
