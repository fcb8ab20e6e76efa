import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// A store that must fulfil the contract, and how to create an empty one.
enum Backend: String, CaseIterable, Sendable {
    case directory
    /// The in-memory store of other tests must behave like the real ones.
    case memory

    func withEmptyStore(_ body: (any DurableStore) throws -> Void) throws {
        switch self {
        case .directory: try withFolder { try body(DirectoryStore(root: $0.appending(path: "out"))) }
        case .memory: try body(MemoryStore())
        }
    }
}

/// A separate folder that is removed afterwards.
func withFolder<R>(_ body: (URL) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory.appending(path: "clairo-storage-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

@Suite(.ownThreads) struct ObjectStoreTests {
    @Test(arguments: Backend.allCases, ObjectStoreContract.clauses)
    func everyBackendFulfilsTheContract(backend: Backend, clause: ObjectStoreContract.Clause) throws {
        try backend.withEmptyStore { try clause.check($0) }
    }
}
