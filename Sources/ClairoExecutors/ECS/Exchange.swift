public import ClairoCore
internal import Foundation

// Documents that a worker and its ECS task exchange as objects in a shared folder:
//
//     spec.json      by the worker, once        the task, and the URL of the output store
//     lease.json     by the worker, repeatedly  a growing counter, a new URL of the source, and credentials for the
//                                               job's output folder. While it grows, the attempt is valid; when it
//                                               stalls or is deleted, the task ends
//     progress.json  by the task, repeatedly    a growing counter and the finished frames: the heartbeat
//     result.json    by the task, last          the result; never replaced
//
// The presigned URL and the credentials are the only secrets. They expire after an hour. The folder has an unguessable
// name, which other tasks cannot list, and the worker deletes it. `ExchangeSweep` and the bucket's lifecycle rules
// remove folders that dead workers left.

/// `spec.json`
struct ExchangeSpec: Codable {
    static let currentSchema = 3
    static let key = ObjectKey("spec.json")

    var schema = Self.currentSchema
    var spec: TaskSpec
    /// The URL of the output store.
    var output: String
    var sourceSize: Int64
    /// The ETag of the source, or nil if the task has no source.
    var sourceETag: String?
    /// Seconds between the task's reads of the lease, and between its progress reports.
    var interval: Double

    /// A document of any version. `current` is nil if its version is not the current one.
    struct Versioned: Decodable {
        var schema: Int
        var current: ExchangeSpec?

        private enum Key: CodingKey { case schema }

        init(from decoder: any Decoder) throws {
            schema = try decoder.container(keyedBy: Key.self).decode(Int.self, forKey: .schema)
            current = schema == ExchangeSpec.currentSchema ? try ExchangeSpec(from: decoder) : nil
        }
    }
}

/// `lease.json`
struct ExchangeLease: Codable, Equatable {
    static let key = ObjectKey("lease.json")

    var beat: Int
    var sourceURL: String?
    /// Nil if the task's own role reaches the output store.
    var output: OutputCredentials?
}

/// `progress.json`
struct ExchangeProgress: Codable, Equatable {
    static let key = ObjectKey("progress.json")

    var beat: Int
    var frames: Int
    /// The usage of the whole task so far, from its metadata; nil if unavailable.
    var cpuSeconds: Double?
    var peakMemory: Int64?
}

/// `result.json`
struct ExchangeResult: Codable {
    static let key = ObjectKey("result.json")

    /// The task and attempt that made the result, to detect a stale one.
    var taskID: TaskID
    var attempt: Int
    var result: TaskResult?
    var failure: FailureHead?
    /// The final number of frames.
    var frames = 0
    /// The written files, under the engine's names.
    var files: [FileRecord] = []
}

/// The store of exchanges.
public typealias ExchangeStore = BackingStore & ConditionalStore

/// One attempt's folder in the exchange store, for both sides.
struct Exchange: Sendable {
    /// Seconds between renewals of a lease, and seconds without a renewal after which it is void. This is longer than a
    /// worker's own lease, so that a short outage of S3 does not end the task.
    static let beatSeconds = 10.0
    static let leaseSeconds = 60.0
    /// Seconds between heartbeats of a task whose frame count does not change.
    static let progressSeconds = 15.0
    /// The lifetime of a source URL in seconds. Each renewal of the lease has a new URL.
    static let sourceSeconds = 3600

    static let documents = [ExchangeLease.key, ExchangeSpec.key, ExchangeProgress.key, ExchangeResult.key]

    let store: any ExchangeStore
    /// The prefix of the documents' keys. Empty, or with a trailing slash.
    let folder: String

    private func key(_ name: ObjectKey) -> ObjectKey { ObjectKey(folder + name.rawValue) }

    /// The URL of `spec.json`, which the worker passes to the task.
    var specURL: String { store.location(of: key(ExchangeSpec.key)).url }

    func write(_ document: some Encodable, _ name: ObjectKey) throws(ClairoError) {
        try store.put(try encode(document, name), at: key(name))
    }

    /// - Returns: Whether the document did not exist yet.
    func writeOnce(_ document: some Encodable, _ name: ObjectKey) throws(ClairoError) -> Bool {
        try store.putIfAbsent(try encode(document, name), at: key(name))
    }

    private func encode(_ document: some Encodable, _ name: ObjectKey) throws(ClairoError) -> Data {
        do {
            return try JSON.encode(document, pretty: false)
        } catch {
            throw .defect("\(name) of a task cannot be encoded: \(error)")
        }
    }

    /// Returns nil if the document does not exist.
    func read<T: Decodable>(_ name: ObjectKey, as type: T.Type = T.self) throws(ClairoError) -> T? {
        let data: Data
        do throws(ClairoError) {
            data = try store.get(key(name))
        } catch  where error.exitCode == .noInput {
            return nil
        }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw .defect("\(name) of a task cannot be parsed: \(error)")
        }
    }

    func remove(_ name: ObjectKey) throws(ClairoError) { try store.delete(key(name)) }

    /// Deletes all documents, as far as possible.
    func clear() {
        for name in Self.documents { try? remove(name) }
    }
}
