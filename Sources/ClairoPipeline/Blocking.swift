internal import ClairoCore

/// Runs blocking calls of the ports on a thread of their own.
func blocking<R: Sendable>(
    _ name: String, _ body: @escaping @Sendable () throws(ClairoError) -> R
) async throws(ClairoError) -> R {
    do {
        return try await onDedicatedThread(name: name) { try body() }
    } catch let error as ClairoError {
        throw error
    } catch {
        throw .defect("\(name): \(error)")
    }
}
