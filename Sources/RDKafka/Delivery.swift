internal import Synchronization

/// The records of one `send` call and their results.
final class Delivery: Sendable {
    private struct State {
        var results: [Result<KafkaReceipt, KafkaError>?]
        var open: Int
        var waiter: CheckedContinuation<Void, Never>?
    }

    let records: [KafkaRecord]
    private let state: Mutex<State>

    init(_ records: [KafkaRecord]) {
        self.records = records
        state = Mutex(State(results: Array(repeating: nil, count: records.count), open: records.count))
    }

    var isOver: Bool { state.withLock { $0.open == 0 } }

    /// Sets the result of a record unless it already has one.
    func settle(_ index: Int, _ result: Result<KafkaReceipt, KafkaError>) {
        update { state in
            guard state.results[index] == nil else { return }
            state.results[index] = result
            state.open -= 1
        }
    }

    /// Sets `error` as the result of all records that have none yet.
    func settleRest(_ error: KafkaError) {
        update { state in
            for index in state.results.indices where state.results[index] == nil {
                state.results[index] = .failure(error)
            }
            state.open = 0
        }
    }

    /// Waits until all records have a result, and returns the results in the order of the records. If the task is
    /// cancelled, records without a result get `cancelled`, and the call returns at once.
    func results() async -> [Result<KafkaReceipt, KafkaError>] {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in update { $0.waiter = continuation } }
        } onCancel: {
            settleRest(.cancelled)
        }
        return state.withLock { $0.results.compactMap { $0 } }
    }

    private func update(_ body: (inout State) -> Void) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            body(&state)
            guard state.open == 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
