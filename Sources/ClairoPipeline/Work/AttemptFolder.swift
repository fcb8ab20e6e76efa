public import ClairoCore
public import Foundation
internal import Synchronization

/// A job's output folder as seen by one attempt of one task.
///
/// The engine uses the names in the plan. Segments of later attempts are stored under different names, so that an
/// attempt that has lost its claim cannot overwrite a valid file. Written files are recorded, and only files in the
/// task's result are published. The lease is checked before each write.
///
/// Every chunk writes its encoder's parameter sets, `init.mp4`. Those of the first chunk of each wave are stored.
/// Those of other chunks are only recorded, so that the finish task can compare them.
///
/// A task on another machine uses such a folder there (`init(store:spec:check:)`), and its recorded files are adopted
/// here.
public final class AttemptFolder: ObjectStore {
    private let store: any BackingStore
    private let folder: JobFolder
    private let attempt: Int
    private let kind: WorkTask.Kind
    /// Keys of init segments that another chunk stores.
    private let foreignInits: Set<ObjectKey>
    private let inits: Set<ObjectKey>
    private let checkClaim: @Sendable () throws(ClairoError) -> Void
    private let confirmClaim: @Sendable () throws(ClairoError) -> Void
    private let state = Mutex(State())

    private struct State {
        var files: [ObjectKey: FileRecord] = [:]
        var foreign: [ObjectKey: Data] = [:]
    }

    /// - Parameter confirmClaim: Called in addition before each write of a file that publishes the output. Throws
    ///   `cancelled` if the claim is void in the database.
    convenience init(
        store: any BackingStore, task: WorkTask, plan: Plan?, lease: Lease,
        confirmClaim: @escaping @Sendable () throws(ClairoError) -> Void = {}
    ) {
        self.init(
            store: store, folder: JobFolder(video: task.videoID, job: task.jobID), attempt: task.attempt,
            kind: task.kind, index: task.index, plan: plan, check: { () throws(ClairoError) in try lease.check() },
            confirm: confirmClaim)
    }

    /// The folder of the attempt described by a task document, for a task without access to the database.
    /// - Parameter check: Called before each write. Throws `cancelled` once the attempt has lost its claim.
    public convenience init(
        store: any BackingStore, spec: TaskSpec, check: @escaping @Sendable () throws(ClairoError) -> Void
    ) {
        let (kind, index, plan): (WorkTask.Kind, Int, Plan?) =
            switch spec.work {
            // The other kinds are not tasks of a job.
            case .plan, .probe, .inspect, .transcode, .verify: (.plan, 0, nil)
            case .chunk(let plan, let index): (.chunk, index, plan)
            case .track(let plan, let index): (.track, index, plan)
            case .finish(let request): (.finish, 0, request.plan)
            }
        self.init(
            store: store, folder: JobFolder(video: spec.videoID, job: spec.jobID), attempt: spec.attempt, kind: kind,
            index: index, plan: plan, check: check, confirm: {})
    }

    private init(
        store: any BackingStore, folder: JobFolder, attempt: Int, kind: WorkTask.Kind, index: Int, plan: Plan?,
        check: @escaping @Sendable () throws(ClairoError) -> Void,
        confirm: @escaping @Sendable () throws(ClairoError) -> Void
    ) {
        self.store = store
        self.folder = folder
        self.attempt = attempt
        self.kind = kind
        checkClaim = check
        confirmClaim = confirm
        inits = plan?.sharedInitKeys ?? []
        foreignInits = plan?.storesInits(kind, index: index) == false ? inits : []
    }

    /// The files written by a succeeded task, with their sizes.
    static func objects(of task: WorkTask, plan: Plan?) -> [(key: ObjectKey, bytes: Int64)] {
        let inits = plan?.sharedInitKeys ?? []
        return (task.result?.files ?? []).compactMap { file in
            var key = ObjectKey(file.key)
            if task.kind == .chunk, inits.contains(key) {
                if plan?.storesInits(.chunk, index: task.index) == false { return nil }
                key = key.ofAttempt(task.attempt)
            }
            return (JobFolder(video: task.videoID, job: task.jobID).place(key), file.bytes)
        }
    }

    /// The files written by this attempt, under their stored names. Shared init segments have the names in the plan.
    var files: [FileRecord] { state.withLock { $0.files.values.sorted { $0.key < $1.key } } }

    // MARK: Files written elsewhere

    /// The files written by this attempt, under the engine's names.
    public var ownFiles: [FileRecord] {
        state.withLock { state in
            state.files.map { FileRecord(key: $0.rawValue, bytes: $1.bytes, sha256: $1.sha256) }
                .sorted { $0.key < $1.key }
        }
    }

    /// Adopts files that a task on another machine has recorded, after checking their size and checksum in the store.
    /// If the store has no checksums, segments are read to compute them.
    /// - Parameter files: The files, under the engine's names.
    /// - Throws: `transient` if a file differs from its record or the claim is lost.
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
        guard let info else { throw .temporary("The task reported \(key), which is not in the store") }
        guard info.size == file.bytes else {
            throw .temporary("\(key) has \(info.size) bytes, but the task reported \(file.bytes)")
        }
        guard kind.makesSegments || info.sha256 != nil else { return }
        let sum = if let kept = info.sha256 { kept } else { try Checksum.sha256(open(stored: key), check: checkClaim) }
        guard sum == file.sha256 else {
            throw .temporary("The checksum of \(key) differs from the one that the task reported")
        }
    }

    private func open(stored key: ObjectKey) throws(ClairoError) -> any ByteSource {
        try asking { () throws(ClairoError) in try store.open(key) }
    }

    /// Runs a request to the store.
    private func asking<R>(_ body: () throws(ClairoError) -> R) throws(ClairoError) -> R {
        do throws(ClairoError) { return try body() } catch { throw judged(error) }
    }

    /// If an object cannot be created while others can, the store does not refuse this worker: the task chose the name,
    /// so the task is at fault.
    private func judged(_ error: ClairoError) -> ClairoError {
        guard error.exitCode == .cannotCreate, (try? store.check()) != nil else { return error }
        return .defect(error.message)
    }

    /// Deletes this attempt's files, as far as possible. The claim does not matter, because the names are unique to the
    /// attempt.
    func discard() {
        guard kind.makesSegments else { return }
        do throws(ClairoError) {
            try store.delete(state.withLock { $0.files.keys.sorted() }.filter { !foreignInits.contains($0) }.map(place))
        } catch {
            // The store may be unavailable.
        }
    }

    /// The maximum size of parameter sets in bytes. They normally have a few hundred. Those of other chunks are kept in
    /// memory.
    private static let mostParameterSets = 1 << 20

    private func keepForeign(_ data: Data, _ key: ObjectKey) throws(ClairoError) {
        try Self.checkParameterSets(data.count, key)
        state.withLock { $0.foreign[key] = data }
    }

    private static func checkParameterSets(_ count: Int, _ key: ObjectKey) throws(ClairoError) {
        guard count <= mostParameterSets else { throw .defect("\(key) has more than \(mostParameterSets) bytes") }
    }

    /// Returns the stored key for a key that the engine uses.
    private func place(_ key: ObjectKey) -> ObjectKey { folder.place(name(key)) }

    private func name(_ key: ObjectKey) -> ObjectKey {
        kind.makesSegments ? key.ofAttempt(attempt) : key
    }

    private func foreign(_ key: ObjectKey) -> Data? { state.withLock { $0.foreign[key] } }

    private func record(_ key: ObjectKey, bytes: Int64, sha256: String) {
        let name = kind == .chunk && inits.contains(key) ? key : name(key)
        let file = FileRecord(key: name.rawValue, bytes: bytes, sha256: sha256)
        state.withLock { $0.files[key] = file }
        CrashPoint.reach("\(kind).wrote.\(OutputLayout.fileName(of: key))")
    }

    // MARK: ObjectStore

    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        try checkClaim()
        if OutputLayout.entryPoints.contains(key) { try confirmClaim() }
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
        try put(at: key, length: nil, writing: body)
    }

    public func put(
        at key: ObjectKey, length: Int64?, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void
    ) throws {
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
            try store.put(at: place(key), length: length) { write in
                // `body` gets one closure that does both, because the compiler cannot prove that two closures do not
                // alias.
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
        let after = key.map { ObjectKey(folder.prefix + $0.rawValue) }
        let stored = try asking { () throws(ClairoError) in
            try store.list(prefix: folder.prefix + prefix, after: after, limit: limit)
        }
        return stored.map { ObjectKey(String($0.rawValue.dropFirst(folder.prefix.count))) }
    }

    public func delete(_ key: ObjectKey) throws(ClairoError) {
        try checkClaim()
        if !foreignInits.contains(key) { try asking { () throws(ClairoError) in try store.delete(place(key)) } }
        forget([key])
    }

    public func delete(_ keys: [ObjectKey]) throws(ClairoError) {
        try checkClaim()
        let own = keys.filter { !foreignInits.contains($0) }.map(place)
        try asking { () throws(ClairoError) in try store.delete(own) }
        forget(keys)
    }

    private func forget(_ keys: [ObjectKey]) {
        state.withLock { state in
            for key in keys {
                state.files[key] = nil
                state.foreign[key] = nil
            }
        }
    }
}
