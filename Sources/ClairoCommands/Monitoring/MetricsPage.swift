internal import ClairoCore
internal import ClairoMetrics

/// One source of a metrics page, such as the database or the brokers.
///
/// The source is read at most once every `freshness`, and a page waits for it no longer than `timeout`. After that the
/// page shows the last values and their age. If reading fails, or takes longer than `limit`, the page says so and omits
/// the values. An expensive source is read only by `keepFresh`, independently of pages.
actor MetricsPage {
    /// The value of the label `source`.
    nonisolated let name: String
    private let freshness: Duration
    /// Nil if pages do not read the source.
    private let timeout: Duration?
    private let limit: Duration
    private let read: @Sendable () async throws(ClairoError) -> Exposition
    private let onTrouble: @Sendable (ClairoError?) -> Void

    private struct Answer {
        var result: Result<Exposition, ClairoError>
        var began: ContinuousClock.Instant
        var ended: ContinuousClock.Instant
    }

    private var last: Answer?
    private var running: (task: Task<Void, Never>, began: ContinuousClock.Instant)?
    /// What `onTrouble` was last called with.
    private var trouble: String?

    /// - Parameters:
    ///   - limit: A read that takes longer has failed. Its result counts when it arrives.
    ///   - onTrouble: Called when reading fails for a new reason, and with nil when it succeeds again.
    init(
        _ name: String, freshness: Duration, timeout: Duration? = .seconds(4), limit: Duration = .seconds(30),
        onTrouble: @escaping @Sendable (ClairoError?) -> Void = { _ in },
        read: @escaping @Sendable () async throws(ClairoError) -> Exposition
    ) {
        self.name = name
        self.freshness = freshness
        self.timeout = timeout
        self.limit = limit
        self.onTrouble = onTrouble
        self.read = read
    }

    /// Adds the source's metrics and the metrics about the source.
    func write(to page: Exposition) async -> Exposition {
        if let timeout, last.map({ .now - $0.began >= freshness }) ?? true { await refresh(timeout) }
        var page = page
        var isGood = false
        let isLate = running.map { .now - $0.began >= limit } ?? false
        if isLate { report(.temporary("Not read within \(Int(limit / .seconds(1))) s")) }
        if let last {
            page.add(.scrapeDuration, [.init((last.ended - last.began) / .seconds(1), name)])
            page.add(.scrapeAge, [.init((ContinuousClock.now - last.began) / .seconds(1), name)])
            if case .success(let figures) = last.result, !isLate {
                page.add(figures)
                isGood = true
            }
        }
        page.add(.scrapeSuccess, [.init(isGood ? 1 : 0, name)])
        return page
    }

    /// The error of the last read, if it failed.
    var failure: ClairoError? { last?.result.error }

    /// Reads the source now and every `freshness`, until the task is cancelled.
    func keepFresh() async {
        while !Task.isCancelled {
            await begin().value
            try? await Task.sleep(for: freshness)
        }
    }

    /// Starts reading the source unless a read is in progress, and waits up to `timeout`.
    private func refresh(_ timeout: Duration) async {
        let task = running?.task ?? begin()
        let (over, end) = AsyncStream<Never>.makeStream()
        Task {
            await task.value
            end.finish()
        }
        // This ends only the wait; reading continues.
        let limit = Task {
            try? await Task.sleep(for: timeout)
            end.finish()
        }
        for await _ in over {}
        limit.cancel()
    }

    private func begin() -> Task<Void, Never> {
        let task = Task { [read] in
            let began = ContinuousClock.now
            do throws(ClairoError) {
                take(.success(try await read()), since: began)
            } catch {
                take(.failure(error), since: began)
            }
        }
        running = (task, .now)
        return task
    }

    private func take(_ result: Result<Exposition, ClairoError>, since began: ContinuousClock.Instant) {
        last = Answer(result: result, began: began, ended: .now)
        running = nil
        report(result.error)
    }

    private func report(_ error: ClairoError?) {
        guard error?.message != trouble else { return }
        trouble = error?.message
        onTrouble(error)
    }
}

extension Result {
    fileprivate var error: Failure? { if case .failure(let error) = self { error } else { nil } }
}
