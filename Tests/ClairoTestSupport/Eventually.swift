public import Testing

/// Waits until `isMet` holds, for things that nobody tells of.
/// - Parameters:
///   - limit: a safety net: when it has passed, the test has failed.
///   - words: what to say then.
public func eventually(
    within limit: Duration = .seconds(300), _ words: @autoclosure () -> String = "",
    _ isMet: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isMet() {
        guard ContinuousClock.now < deadline else {
            Issue.record("it never came to that: \(words())", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
