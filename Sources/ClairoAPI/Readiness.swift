internal import ClairoCore
internal import Logging

/// The readiness of the services that the server depends on, for `/readyz`.
struct Readiness: Sendable {
    enum State: String, Encodable { case ok, failed }

    struct Report: Encodable {
        var status: State
        /// The state of each service. Errors appear only in the server's log.
        var checks: [String: State]
    }

    private let parts: [(name: String, check: ReadinessCheck)]

    init(_ parts: [(name: String, check: ReadinessCheck)]) { self.parts = parts }

    func report() async -> Report {
        await withTaskGroup { group in
            for part in parts { group.addTask { (part.name, await part.check.state()) } }
            var checks: [String: State] = [:]
            for await (name, state) in group { checks[name] = state }
            return Report(status: checks.values.contains(.failed) ? .failed : .ok, checks: checks)
        }
    }
}

/// Checks one service. Concurrent requests share one check, and its result is cached for three seconds. If the check
/// hangs, each caller gets `failed` after the timeout, and no second check starts.
actor ReadinessCheck {
    private static let kept = Duration.seconds(3)

    private let name: String
    private let logger: Logger
    /// A monotonic clock.
    private let now: @Sendable () -> Duration
    private let timeout: Duration
    private let check: @Sendable () async throws -> Void
    private var last: (at: Duration, state: Readiness.State)?
    private var isRunning = false
    private var waiting: [Int: CheckedContinuation<Readiness.State, Never>] = [:]
    private var asked = 0

    /// - Parameter timeout: How long a caller waits for the check.
    init(
        _ name: String, logger: Logger, now: @escaping @Sendable () -> Duration, timeout: Duration,
        _ check: @escaping @Sendable () async throws -> Void
    ) {
        self.name = name
        self.logger = logger
        self.now = now
        self.timeout = timeout
        self.check = check
    }

    func state() async -> Readiness.State {
        if let last, now() - last.at < Self.kept { return last.state }
        if !isRunning {
            isRunning = true
            Task { await run() }
        }
        asked += 1
        let number = asked
        let timeout = timeout
        return await withCheckedContinuation { continuation in
            waiting[number] = continuation
            Task {
                try? await Task.sleep(for: timeout)
                giveUp(number)
            }
        }
    }

    private func run() async {
        var state = Readiness.State.ok
        do {
            try await check()
        } catch {
            logger.error("Not ready", metadata: ["part": "\(name)", "error": "\(error)"])
            state = .failed
        }
        isRunning = false
        last = (now(), state)
        for continuation in waiting.values { continuation.resume(returning: state) }
        waiting = [:]
    }

    private func giveUp(_ number: Int) {
        guard let continuation = waiting.removeValue(forKey: number) else { return }
        logger.error("Not ready", metadata: ["part": "\(name)", "error": "No answer in time"])
        continuation.resume(returning: .failed)
    }
}
