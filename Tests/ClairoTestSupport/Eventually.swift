public import Testing

/// Polls until `isMet` returns true, for conditions without an event.
/// - Parameters:
///   - limit: A timeout as a safety net. The test fails when it expires.
///   - words: The message of the failure.
public func eventually(
    within limit: Duration = .seconds(300), _ words: @autoclosure () -> String = "",
    _ isMet: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isMet() {
        guard ContinuousClock.now < deadline else {
            Issue.record("the condition was never met: \(words())", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
