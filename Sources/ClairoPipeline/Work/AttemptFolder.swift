public import ClairoCore
public import Foundation
internal import Synchronization

/// A job's output folder as one attempt of one task sees it.
///
/// The engine uses the plan's names. Segments of a later attempt are kept under names of their own, so that an attempt
/// whose claim has passed to another can overwrite nothing that is believed; what was written is recorded, and only the
/// record that goes into the task's result is. Before each write the lease is looked at.
///
/// Every chunk begins with its encoder's parameter sets, `init.mp4`; the first chunk's are kept, those of the others are
/// only recorded, so that they can be compared at the end.
///
/// A task that runs on another machine has such a folder there (`init(store:spec:check:)`), and what that recorded is
/// adopted here.
public final class AttemptFolder: ObjectStore {
    private let store: any BackingStore
    private let prefix: String
    private let attempt: Int
    private let kind: WorkTask.Kind
    /// Keys of init segments that another chunk keeps.
    private let foreignInits: Set<ObjectKey>
    private let inits: Set<ObjectKey>
    private let checkClaim: @Sendable () throws(ClairoError) -> Void
    private let state = Mutex(State())

    private struct State {
        var files: [ObjectKey: FileRecord] = [:]
        var foreign: [ObjectKey: Data] = [:]
        var refusal: ClairoError?
    }

    convenience init(store: any BackingStore, task: WorkTask, plan: Plan?, lease: Lease) {
        self.init(
            store: store, folder: Self.prefix(video: task.videoID, job: task.jobID), attempt: task.attempt,
            kind: task.kind, index: task.index, plan: plan
        ) { () throws(ClairoError) in try lease.check() }
    }

    /// The folder of the attempt that a document tells of, where that runs without the database.
    /// - Parameter check: throws `cancelled` once the attempt is not believed any more; asked before each write.
    public convenience init(
        store: any BackingStore, spec: TaskSpec, check: @escaping @Sendable () throws(ClairoError) -> Void
    ) {
        let (kind, index, plan): (WorkTask.Kind, Int, Plan?) =
            switch spec.work {
            // The others are no tasks of a job.
            case .plan, .probe, .inspect, .transcode, .verify: (.plan, 0, nil)
            case .chunk(let plan, let index): (.chunk, index, plan)
            case .audio(let plan, let index): (.audio, index, plan)
            case .finish(let request): (.finish, 0, request.plan)
            }
        self.init(
            store: store, folder: Self.prefix(video: spec.videoID, job: spec.jobID), attempt: spec.attempt, kind: kind,
            index: index, plan: plan, check: check)
    }

    private init(
        store: any BackingStore, folder: String, attempt: Int, kind: WorkTask.Kind, index: Int, plan: Plan?,
        check: @escaping @Sendable () throws(ClairoError) -> Void
    ) {
        self.store = store
        prefix = folder
        self.attempt = attempt
        self.kind = kind
        checkClaim = check
        inits = Set((plan?.video?.rungs ?? []).map(\.initKey))
        foreignInits = kind == .chunk && index > 0 ? inits : []
    }

    static func prefix(video: VideoID, job: JobID) -> String { "videos/\(video)/\(job)/" }

    /// Where the files lie that a task which succeeded has written, and their sizes.
    static func objects(of task: WorkTask, plan: Plan?) -> [(key: ObjectKey, bytes: Int64)] {
        let inits = Set((plan?.video?.rungs ?? []).map(\.initKey))
        return (task.result?.files ?? []).compactMap { file in
            var key = ObjectKey(file.key)
            if task.kind == .chunk, inits.contains(key) {
                // Only the first chunk keeps it.
                if task.index > 0 { return nil }
                key = key.ofAttempt(task.attempt)
            }
            return (ObjectKey(prefix(video: task.videoID, job: task.jobID) + key.rawValue), file.bytes)
        }
    }

    /// What this attempt wrote, by the names in the folder; init segments by the plan's.
    var files: [FileRecord] { state.withLock { $0.files.values.sorted { $0.key < $1.key } } }

    /// Why the store itself would have nothing to do with us, such as for wrong credentials.
    public var refusal: ClairoError? { state.withLock { $0.refusal } }

    /// Notes that this worker's settings are wrong, whoever found out.
    func note(refusal: ClairoError) { state.withLock { $0.refusal = refusal } }

    // MARK: What was written elsewhere

    /// What was written here, by the engine's names.
    public var ownFiles: [FileRecord] {
        state.withLock { state in
            state.files.map { FileRecord(key: $0.rawValue, bytes: $1.bytes, sha256: $1.sha256) }
                .sorted { $0.key < $1.key }
        }
    }

    /// Takes for this attempt's own what such a folder on another machine has recorded, once it is found in the store with
    /// its size and its checksum. Where the store keeps none, the bytes of segments are read.
    /// - Parameter files: by the engine's names.
    /// - Throws: `transient` where something is not as it was told, or the claim does not hold any more.
    public func adopt(_ files: [FileRecord]) throws(ClairoError) {
        for file in files {
            try checkClaim()
            let key = ObjectKey(file.key)
            if !foreignInits.contains(key) { try compare(file, with: place(key)) }
            record(key, bytes: file.bytes, sha256: file.sha256)
        }
    }

    private func compare(_ file: FileRecord, with key: ObjectKey) throws(ClairoError) {
        let info = try asking { () throws(ClairoError) in try store.info(of: key) }
        guard let info else { throw .temporary("\(key) was not written, though the task says so") }
        guard info.size == file.bytes else {
            throw .temporary("\(key) has \(info.size) bytes, not the \(file.bytes) that the task wrote")
        }
        guard kind == .chunk || kind == .audio || info.sha256 != nil else { return }
        let sum = if let kept = info.sha256 { kept } else { try Checksum.sha256(open(stored: key), check: checkClaim) }
        guard sum == file.sha256 else { throw .temporary("\(key) does not hold the bytes that the task wrote") }
    }

    private func open(stored key: ObjectKey) throws(ClairoError) -> any ByteSource {
        try asking { () throws(ClairoError) in try store.open(key) }
    }

    /// Remembers a refusal by the store.
    private func asking<R>(_ body: () throws(ClairoError) -> R) throws(ClairoError) -> R {
        do throws(ClairoError) { return try body() } catch { throw judged(error) }
    }

    /// What an error of the store means. That there is no such object is no refusal. Nor is that an object cannot be made while
    /// others can: then its name is to blame, which whoever runs the task chose.
    private func judged(_ error: ClairoError) -> ClairoError {
        guard error.kind == .usage, error.exitCode != .noInput else { return error }
        if error.exitCode == .cannotCreate, (try? store.check()) != nil { return .defect(error.message) }
        note(refusal: error)
        return error
    }

    /// Removes what this attempt wrote, as far as that can be done. Whether the claim holds does not matter: the names are this
    /// attempt's own.
    func discard() {
        guard kind == .chunk || kind == .audio else { return }
        do throws(ClairoError) {
            for key in state.withLock({ $0.files.keys.sorted() }) where !foreignInits.contains(key) {
                try store.delete(place(key))
            }
        } catch {
            // A store that is away is not asked a hundred times.
        }
    }

    /// Parameter sets are a few hundred bytes. Those of other chunks are kept in memory.
    private static let mostParameterSets = 1 << 20

    private func keepForeign(_ data: Data, _ key: ObjectKey) throws(ClairoError) {
        try Self.checkParameterSets(data.count, key)
        state.withLock { $0.foreign[key] = data }
    }

    private static func checkParameterSets(_ count: Int, _ key: ObjectKey) throws(ClairoError) {
        guard count <= mostParameterSets else { throw .defect("\(key) has more than \(mostParameterSets) bytes") }
    }

    /// Where a key of the engine's is kept.
    private func place(_ key: ObjectKey) -> ObjectKey { ObjectKey(prefix + name(key).rawValue) }

    private func name(_ key: ObjectKey) -> ObjectKey {
        kind == .chunk || kind == .audio ? key.ofAttempt(attempt) : key
    }

    private func foreign(_ key: ObjectKey) -> Data? { state.withLock { $0.foreign[key] } }

    private func record(_ key: ObjectKey, bytes: Int64, sha256: String) {
        let name = kind == .chunk && inits.contains(key) ? key : name(key)
        let file = FileRecord(key: name.rawValue, bytes: bytes, sha256: sha256)
        state.withLock { $0.files[key] = file }
        CrashPoint.reach("\(kind).wrote.\(key.rawValue.split(separator: "/").last ?? "")")
    }

    // MARK: ObjectStore

    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        try checkClaim()
        if foreignInits.contains(key) {
            try keepForeign(data, key)
        } else {
            try asking { () throws(ClairoError) in try store.put(data, at: place(key)) }
        }
        record(key, bytes: Int64(data.count), sha256: Checksum.sha256(data))
    }

    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        if foreignInits.contains(key) {
            var whole = Data()
            try body { (piece: Data) throws(ClairoError) in
                try Self.checkParameterSets(whole.count + piece.count, key)
                whole += piece
            }
            return try put(whole, at: key)
        }
        try checkClaim()
        var sum = Checksum.Running()
        do {
            try store.put(at: place(key)) { write in
                // Two closures that the compiler cannot see are not each other: `body` gets one that does both.
                try withoutActuallyEscaping(write) { write in
                    try body { (piece: Data) throws(ClairoError) in
                        try checkClaim()
                        sum.update(piece)
                        try write(piece)
                    }
                }
                try checkClaim()
            }
        } catch let error as ClairoError { throw judged(error) }
        record(key, bytes: sum.bytes, sha256: sum.finish())
    }

    public func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        if let data = foreign(key) { return data }
        return try asking { () throws(ClairoError) in try store.get(place(key)) }
    }

    public func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { try open(stored: place(key)) }

    public func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? {
        if let data = foreign(key) {
            return ObjectInfo(key: key, size: Int64(data.count), etag: Checksum.sha256(data), modified: .now)
        }
        if foreignInits.contains(key) { return nil }
        guard var info = try asking({ () throws(ClairoError) in try store.info(of: place(key)) }) else { return nil }
        info.key = key
        return info
    }

    public func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        let after = key.map { ObjectKey(self.prefix + $0.rawValue) }
        return try store.list(prefix: self.prefix + prefix, after: after, limit: limit)
            .map { ObjectKey(String($0.rawValue.dropFirst(self.prefix.count))) }
    }

    public func delete(_ key: ObjectKey) throws(ClairoError) {
        try checkClaim()
        if !foreignInits.contains(key) { try store.delete(place(key)) }
        state.withLock { state in
            state.files[key] = nil
            state.foreign[key] = nil
        }
    }
}
