import ClairoCore
import ClairoTestSupport
import Testing

/// The in-memory store fulfils the contract of the databases.
@Suite struct MemoryTests {
    @Test(arguments: MetadataStoreContract.clauses)
    func memoryFulfilsTheContract(clause: MetadataStoreContract.Clause) async throws {
        try await clause.check(MemoryMetadata())
    }
}
