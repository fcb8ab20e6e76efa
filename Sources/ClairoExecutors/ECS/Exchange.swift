public import ClairoCore
internal import Foundation

// What a worker and a task on ECS say to each other, as objects of a folder that both reach:
//
//     spec.json      the worker, once      what to do, and where the output store is
//     lease.json     the worker, often     a number that grows, and a fresh URL of the source: as long as it grows, the
//                                          attempt is believed; where it stands still or is gone, the task ends
//     progress.json  the task, often       a number that grows, and the frames that are done: the sign of life
//     result.json    the task, last        what came of it; never replaced
//
// The presigned URL is the one secret in there, and ends after an hour. The folder has a name that nobody can guess, and
// is removed by the worker; what a worker that died leaves behind is for `ExchangeSweep` and the bucket's lifecycle rules.

/// `spec.json`
struct ExchangeSpec: Codable {
    static let currentSchema = 1
    static let key = ObjectKey("spec.json")

    var schema = Self.currentSchema
    var spec: TaskSpec
    /// The output store, as a URL.
    var output: String
    var sourceSize: Int64
    /// The version of the source; nil where the task reads none.
    var sourceETag: String?
    /// Seconds between two looks of the task at the lease, and between two tellings of progress.
    var interval: Double
}

/// `lease.json`
struct ExchangeLease: Codable, Equatable {
    static let key = ObjectKey("lease.json")

    var beat: Int
    var sourceURL: String?
}

/// `progress.json`
struct ExchangeProgress: Codable, Equatable {
    static let key = ObjectKey("progress.json")

    var beat: Int
    var frames: Int
    /// Of the whole task so far, by its metadata; nil where there is none.
    var cpuSeconds: Double?
    var peakMemory: Int64?
}

/// `result.json`
struct ExchangeResult: Codable {
    static let key = ObjectKey("result.json")

    /// The ECS task's attempt, so that nothing else is taken for it.
    var taskID: TaskID
    var attempt: Int
    var result: TaskResult?
    var failure: FailureHead?
    /// Whether the failure is that of the task's role or settings.
    var isRefusal = false
    /// That were done at the end.
    var frames = 0
    /// What was written, by the engine's names.
    var files: [FileRecord] = []
}

/// The store of exchanges.
public typealias ExchangeStore = BackingStore & ConditionalStore

/// One attempt's folder in the store of exchanges, as either side has it.
struct Exchange: Sendable {
    /// Seconds between two beats of a lease, and after which one that stands still is not believed any more. Longer than a
    /// worker's own lease, so that a pause of S3 does not cost the task.
    static let beatSeconds = 10.0
    static let leaseSeconds = 60.0
    /// Seconds between two signs of life of a task that has nothing new to tell.
    static let progressSeconds = 15.0
    /// How long the URL of a source is good for: each beat has a new one.
    static let sourceSeconds = 3600

    static let documents = [ExchangeLease.key, ExchangeSpec.key, ExchangeProgress.key, ExchangeResult.key]

    let store: any ExchangeStore
    /// With a slash at its end, or empty.
    let folder: String

    private func key(_ name: ObjectKey) -> ObjectKey { ObjectKey(folder + name.rawValue) }

    /// Where it is, for the other side: the URL of `spec.json`.
    var specURL: String { store.location(of: key(ExchangeSpec.key)).url }

    func write(_ document: some Encodable, _ name: ObjectKey) throws(ClairoError) {
        try store.put(try encode(document, name), at: key(name))
    }

    /// - Returns: whether there was none yet.
    func writeOnce(_ document: some Encodable, _ name: ObjectKey) throws(ClairoError) -> Bool {
        try store.putIfAbsent(try encode(document, name), at: key(name))
    }

    private func encode(_ document: some Encodable, _ name: ObjectKey) throws(ClairoError) -> Data {
        do {
            return try JSON.encode(document, pretty: false)
        } catch {
            throw .defect("\(name) of a task cannot be written: \(error)")
        }
    }

    /// nil where there is none.
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
            throw .defect("\(name) of a task cannot be read: \(error)")
        }
    }

    func remove(_ name: ObjectKey) throws(ClairoError) { try store.delete(key(name)) }

    /// Leaves nothing behind, as far as that can be done.
    func clear() {
        for name in Self.documents { try? remove(name) }
    }
}
