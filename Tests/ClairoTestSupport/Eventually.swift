public import Testing

/// Polls until `isMet` returns true, for conditions without an event. The pauses grow, because a condition that takes
/// seconds often needs a connection to a database or a server for each look.
/// - Parameters:
///   - limit: A timeout as a safety net. The test fails when it expires.
///   - words: The message of the failure.
public func eventually(
    within limit: Duration = .seconds(300), _ words: @autoclosure () -> String = "",
    _ isMet: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let deadline = ContinuousClock.now + limit
    var pause = Duration.milliseconds(5)
    while try await !isMet() {
        guard ContinuousClock.now < deadline else {
            Issue.record("the condition was never met: \(words())", sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: pause)
        pause = min(pause * 1.2, .milliseconds(100))
    }
}
