internal import ClairoCore
internal import Foundation
internal import Synchronization

/// The objects in the output folder that a task's process has open, for writing in pieces or for reading.
final class OpenObjects: Sendable {
    private struct State {
        var nextHandle = 1
        var writers: [Int: ObjectWriter] = [:]
        var sources: [Int: any ByteSource] = [:]
        var isAbandoned = false
    }

    private static let limit = 16
    private let state = Mutex(State())

    /// - Parameter length: The length that the task has announced.
    func beginPut(at key: ObjectKey, length: Int64?, in store: any ObjectStore) throws(ClairoError) -> Int {
        let writer = ObjectWriter(key: key, length: length, store: store)
        do throws(ClairoError) {
            return try add { state, handle in state.writers[handle] = writer }
        } catch {
            writer.abort()
            throw error
        }
    }

    func write(_ data: Data, to handle: Int?) throws(ClairoError) { try writer(handle).write(data) }

    func endPut(_ handle: Int?) throws(ClairoError) {
        let writer = try writer(handle)
        state.withLock { $0.writers[handle ?? 0] = nil }
        try writer.end()
    }

    func abortPut(_ handle: Int?) { state.withLock { $0.writers.removeValue(forKey: handle ?? 0) }?.abort() }

    func open(_ key: ObjectKey, in store: any ObjectStore) throws(ClairoError) -> (handle: Int, size: Int64) {
        let source = try store.open(key)
        return (try add { state, handle in state.sources[handle] = source }, source.size)
    }

    func source(_ handle: Int?) throws(ClairoError) -> any ByteSource {
        guard let source = state.withLock({ $0.sources[handle ?? 0] }) else { throw Self.unknown(handle) }
        return source
    }

    func close(_ handle: Int?) { state.withLock { $0.sources[handle ?? 0] = nil } }

    /// Abandons all open objects. No more can be opened.
    func abandon() {
        let writers = state.withLock { state in
            defer { state = State(isAbandoned: true) }
            return state.writers.values
        }
        for writer in writers { writer.abort() }
    }

    private func add(_ insert: (inout State, Int) -> Void) throws(ClairoError) -> Int {
        let handle: Int? = state.withLock { state in
            guard !state.isAbandoned, state.writers.count + state.sources.count < Self.limit else { return nil }
            defer { state.nextHandle += 1 }
            insert(&state, state.nextHandle)
            return state.nextHandle
        }
        guard let handle else { throw .defect("A task has too many objects open") }
        return handle
    }

    private func writer(_ handle: Int?) throws(ClairoError) -> ObjectWriter {
        guard let writer = state.withLock({ $0.writers[handle ?? 0] }) else { throw Self.unknown(handle) }
        return writer
    }

    private static func unknown(_ handle: Int?) -> ClairoError {
        .defect("A task used an object that it had not opened (\(handle ?? 0))")
    }
}

/// Splits a store's blocking write into separate calls: a thread runs the store's call and receives the pieces.
private final class ObjectWriter: Sendable {
    private struct Aborted: Error {}

    private let key: ObjectKey
    private let pieces = BoundedQueue<Data>(capacity: 1)
    private let isComplete = Atomic<Bool>(false)
    private let failure = Mutex<ClairoError?>(nil)
    private let thread: Mutex<WorkerThread?>

    init(key: ObjectKey, length: Int64?, store: any ObjectStore) {
        self.key = key
        thread = Mutex(nil)
        let writing = WorkerThread(name: "task-put") { [self] in
            do {
                try store.put(at: key, length: length) { write in
                    while let piece = pieces.pop() { try write(piece) }
                    guard isComplete.load(ordering: .acquiring) else { throw Aborted() }
                }
            } catch let error as ClairoError {
                failure.withLock { $0 = error }
                pieces.abandon()
            } catch {
                failure.withLock { $0 = .defect("\(key) was not written: \(error)") }
                pieces.abandon()
            }
        }
        thread.withLock { $0 = writing }
    }

    func write(_ data: Data) throws(ClairoError) {
        guard pieces.push(data) else { throw failure.withLock { $0 } ?? .cancelled }
    }

    func end() throws(ClairoError) {
        isComplete.store(true, ordering: .releasing)
        pieces.finish()
        join()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    func abort() {
        pieces.abandon()
        join()
    }

    private func join() {
        let writing = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        _ = writing?.join()
    }
}
