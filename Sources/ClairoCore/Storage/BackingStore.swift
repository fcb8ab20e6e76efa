internal import struct Foundation.Data

/// A store that is a place of its own, a bucket or a directory, and no view of a part of one.
public protocol BackingStore: ObjectStore {
    /// Where an object is, for rows, messages and people.
    func location(of key: ObjectKey) -> ObjectLocation

    /// Makes sure that the store is there and may be written, and says what is wrong otherwise. For `doctor` and `/readyz`.
    func check() throws(ClairoError)

    /// How much is in the store. It looks at every object: a bucket of a million takes thousands of requests.
    func usage() throws(ClairoError) -> StoreUsage
}

extension BackingStore {
    /// Writes a small object, reads it and removes it, which tells more than any question about rights and room. For `doctor`.
    public func tryOut() throws(ClairoError) {
        let key = ObjectKey(".clairo-check-\(UInt64.random(in: .min ... .max))")
        let data = Data((0..<4096).map { _ in UInt8.random(in: .min ... .max) })
        try put(data, at: key)
        let read: Data
        do throws(ClairoError) {
            read = try get(key)
        } catch {
            try? delete(key)
            throw error
        }
        try delete(key)
        guard read == data else {
            throw .inputOutput("\(location(of: key).url) did not come back as it was written")
        }
    }

    /// For stores that cannot tell sizes along with names.
    public func usage() throws(ClairoError) -> StoreUsage {
        var usage = StoreUsage()
        for key in try list(prefix: "") {
            if let size = try size(of: key) { usage.add(bytes: size) }
        }
        return usage
    }
}

/// What a store holds, without uploads that are not complete.
public struct StoreUsage: Sendable, Hashable {
    /// Number of objects.
    public var objects: Int
    /// Size of all objects.
    public var bytes: Int64

    public init(objects: Int = 0, bytes: Int64 = 0) {
        self.objects = objects
        self.bytes = bytes
    }

    /// Counts one object.
    public mutating func add(bytes: Int64) {
        objects += 1
        self.bytes += bytes
    }
}
