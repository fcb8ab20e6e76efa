import ClairoCore
import ClairoTestSupport
import Testing

/// The double promises what the databases do.
@Suite struct MemoryTests {
    @Test(arguments: MetadataStoreContract.promises)
    func memoryKeepsEveryPromise(promise: MetadataStoreContract.Promise) async throws {
        try await promise.check(MemoryMetadata())
    }
}
