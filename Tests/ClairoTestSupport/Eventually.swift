public import Testing

/// Waits until `isMet` holds, for things that nobody tells of.
/// - Parameter limit: a safety net: when it has passed, the test has failed.
public func eventually(
    within limit: Duration = .seconds(120), _ isMet: () async throws -> Bool,
    sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isMet() {
        guard ContinuousClock.now < deadline else {
            Issue.record("it never came to that", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
