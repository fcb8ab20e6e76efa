public import ClairoCore
public import Testing

/// What every `MetadataStore` must do, as one body of checks for all backends.
///
/// A suite gives a store that is empty and migrated; each check leaves in it what it likes.
public enum MetadataStoreContract {
    /// One promise of the port.
    public struct Promise: Sendable, CustomTestStringConvertible {
        public let testDescription: String
        let body: @Sendable (any MetadataStore) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (any MetadataStore) async throws -> Void) {
            testDescription = description
            self.body = body
        }

        public func check(_ store: any MetadataStore) async throws { try await body(store) }
    }

    public static let promises =
        schema + videos + uploads + jobs + claims + tasks + stops + outbox + queue + deadLetters + statistics

    /// Of what a promise holds, in seconds: none runs out while the machine does something else.
    static let lease = 36_000.0

    private static let schema = [
        Promise("a migrated database has the program's schema, and migrating it again changes nothing") {
            store async throws in
            let versions = try await store.schema()
            #expect(versions.database == versions.program)
            #expect(versions.program > 0)
            #expect(try await store.migrate().isEmpty)
            try await store.check()
        }
    ]
}

/// The error that `body` throws, or nil.
public func failure(_ body: () async throws -> Void) async -> ClairoError? {
    do {
        try await body()
        return nil
    } catch { return error as? ClairoError }
}
