internal import ClairoCore

/// A driver that reports each call.
struct ObservedDriver: SQLDriver {
    let base: any SQLDriver
    let observe: @Sendable (DatabaseEvent) -> Void

    var dialect: SQLDialect { base.dialect }

    func read<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await observing(.read) { () throws(ClairoError) in try await base.read(body) }
    }

    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await observing(.write) { () throws(ClairoError) in try await base.write(body) }
    }

    func look<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await observing(.claim) { () throws(ClairoError) in try await base.look(body) }
    }

    func writeEach<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await observing(.write) { () throws(ClairoError) in try await base.writeEach(body) }
    }

    func alone<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await observing(.migrate) { () throws(ClairoError) in try await base.alone(body) }
    }

    func readAnySchema<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await observing(.read) { () throws(ClairoError) in try await base.readAnySchema(body) }
    }

    func close() async { await base.close() }

    private func observing<R: Sendable>(
        _ operation: DatabaseEvent.Operation, _ body: () async throws(ClairoError) -> R
    ) async throws(ClairoError) -> R {
        let start = ContinuousClock.now
        func tell(_ failure: ClairoError.Kind?) {
            observe(
                DatabaseEvent(
                    operation: operation, failure: failure, seconds: (ContinuousClock.now - start) / .seconds(1)))
        }
        do throws(ClairoError) {
            let result = try await body()
            tell(nil)
            return result
        } catch {
            tell(error.kind)
            throw error
        }
    }
}
