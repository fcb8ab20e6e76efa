public import ClairoCore
public import Testing

/// The contract of `MetadataStore`: one set of checks for all backends.
///
/// Each check gets an empty, migrated store, and may leave anything in it.
public enum MetadataStoreContract {
    /// One clause of the contract.
    public struct Clause: Sendable, CustomTestStringConvertible {
        public let testDescription: String
        let body: @Sendable (any MetadataStore) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (any MetadataStore) async throws -> Void) {
            testDescription = description
            self.body = body
        }

        public func check(_ store: any MetadataStore) async throws { try await body(store) }
    }

    public static let clauses: [Clause] =
        schema + videos + uploads + jobs + claims + tasks + stops + outbox + queue + deadLetters + statistics
        + deletions + duties + garbage

    /// Lease duration in seconds, long enough not to expire on a busy machine.
    static let lease = 36_000.0

    private static var schema: [Clause] {
        [
            Clause("a migrated database has the program's schema, and migrating again changes nothing") {
                store async throws in
                let versions = try await store.schema()
                #expect(versions.database == versions.program)
                #expect(versions.program > 0)
                #expect(try await store.migrate().isEmpty)
                try await store.check()
            }
        ]
    }
}

extension StatisticsRecords {
    /// Messages of the outbox that are not delivered, those for webhooks among them.
    public func unsentMessages() async throws(ClairoError) -> Int { try await statistics().outbox.pending }
}

/// The error that `body` throws, or nil.
public func failure(_ body: () async throws -> Void) async -> ClairoError? {
    do {
        try await body()
        return nil
    } catch { return error as? ClairoError }
}
