import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// A kind of store that keeps the contract, and how to get an empty one.
enum Backend: String, CaseIterable, Sendable {
    case directory
    /// The double that other tests use must be no better than the real ones.
    case memory

    func withEmptyStore(_ body: (any DurableStore) throws -> Void) throws {
        switch self {
        case .directory: try withFolder { try body(DirectoryStore(root: $0.appending(path: "out"))) }
        case .memory: try body(MemoryStore())
        }
    }
}

/// A folder of its own that is gone afterwards.
func withFolder<R>(_ body: (URL) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory.appending(path: "clairo-storage-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

@Suite(.ownThreads) struct ObjectStoreTests {
    @Test(arguments: Backend.allCases, ObjectStoreContract.promises)
    func everyBackendKeepsEveryPromise(backend: Backend, promise: ObjectStoreContract.Promise) throws {
        try backend.withEmptyStore { try promise.check($0) }
    }
}
