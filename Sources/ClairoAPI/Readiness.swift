internal import ClairoCore
internal import Logging

/// Whether what the server works with can be used, for `/readyz`.
struct Readiness: Sendable {
    enum State: String, Encodable { case ok, failed }

    struct Report: Encodable {
        var status: State
        /// By the part's name. What is wrong with it is in the server's log only.
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

/// One part's check, made once for all who ask while it runs and some seconds after. Of a part that hangs, one check hangs,
/// and whoever asks is told after a while that the part cannot be used.
actor ReadinessCheck {
    private static let kept = Duration.seconds(3)

    private let name: String
    private let logger: Logger
    /// Time since any fixed moment.
    private let now: @Sendable () -> Duration
    private let patience: Duration
    private let check: @Sendable () async throws -> Void
    private var last: (at: Duration, state: Readiness.State)?
    private var isRunning = false
    private var waiting: [Int: CheckedContinuation<Readiness.State, Never>] = [:]
    private var asked = 0

    /// - Parameter patience: how long one who asks waits.
    init(
        _ name: String, logger: Logger, now: @escaping @Sendable () -> Duration, patience: Duration,
        _ check: @escaping @Sendable () async throws -> Void
    ) {
        self.name = name
        self.logger = logger
        self.now = now
        self.patience = patience
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
        let patience = patience
        return await withCheckedContinuation { continuation in
            waiting[number] = continuation
            Task {
                try? await Task.sleep(for: patience)
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
        logger.error("Not ready", metadata: ["part": "\(name)", "error": "It does not answer"])
        continuation.resume(returning: .failed)
    }
}
