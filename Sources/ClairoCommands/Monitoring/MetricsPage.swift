internal import ClairoCore
internal import ClairoMetrics

/// One of the places that a page of metrics is put together from: the database, the brokers.
///
/// It is asked at most every `freshness`, and no page waits for it longer than `patience`: what it said last stands until
/// it says more, and the page tells how old that is. Where it fails, the page says so and leaves its numbers out. One that
/// costs much is asked by `keepFresh` alone, whether there are pages or not.
actor MetricsPage {
    /// In the label `source`.
    nonisolated let name: String
    private let freshness: Duration
    /// Nil where no page asks.
    private let patience: Duration?
    private let read: @Sendable () async throws(ClairoError) -> Exposition
    private let onTrouble: @Sendable (ClairoError?) -> Void

    private struct Answer {
        var result: Result<Exposition, ClairoError>
        var began: ContinuousClock.Instant
        var ended: ContinuousClock.Instant
    }

    private var last: Answer?
    private var running: Task<Void, Never>?

    /// - Parameter onTrouble: told when it fails, or fails otherwise than before, and with nil when it is well again.
    init(
        _ name: String, freshness: Duration, patience: Duration? = .seconds(4),
        onTrouble: @escaping @Sendable (ClairoError?) -> Void = { _ in },
        read: @escaping @Sendable () async throws(ClairoError) -> Exposition
    ) {
        self.name = name
        self.freshness = freshness
        self.patience = patience
        self.onTrouble = onTrouble
        self.read = read
    }

    /// Adds what the source says, and how it is.
    func write(to page: Exposition) async -> Exposition {
        if let patience, last.map({ .now - $0.began >= freshness }) ?? true { await refresh(patience) }
        var page = page
        var isGood = false
        if let last {
            page.add(.scrapeDuration, [.init((last.ended - last.began) / .seconds(1), name)])
            page.add(.scrapeAge, [.init((ContinuousClock.now - last.began) / .seconds(1), name)])
            if case .success(let figures) = last.result {
                page.add(figures)
                isGood = true
            }
        }
        page.add(.scrapeSuccess, [.init(isGood ? 1 : 0, name)])
        return page
    }

    /// Asks the source now and then again every `freshness`, until the task is cancelled.
    func keepFresh() async {
        while !Task.isCancelled {
            await begin().value
            try? await Task.sleep(for: freshness)
        }
    }

    /// Asks the source, unless somebody does so already, and waits for a while.
    private func refresh(_ patience: Duration) async {
        let task = running ?? begin()
        let (over, end) = AsyncStream<Never>.makeStream()
        Task {
            await task.value
            end.finish()
        }
        // It ends the wait only; the question goes on.
        let limit = Task {
            try? await Task.sleep(for: patience)
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
        running = task
        return task
    }

    private func take(_ result: Result<Exposition, ClairoError>, since began: ContinuousClock.Instant) {
        let old = last?.result.error
        last = Answer(result: result, began: began, ended: .now)
        running = nil
        if old?.message != result.error?.message { onTrouble(result.error) }
    }
}

extension Result {
    fileprivate var error: Failure? { if case .failure(let error) = self { error } else { nil } }
}
