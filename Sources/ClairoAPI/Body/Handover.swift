internal import Synchronization

/// A value that two tasks use in turns: the one that receives a body, and the one that works while its sender pauses.
final class Handover<Value: Sendable>: Sendable {
    private enum State {
        case free(Value)
        case taken
        /// Taken, and the receiving task waits for it.
        case awaited(CheckedContinuation<Value, Never>)
    }

    private let state: Mutex<State>

    init(_ value: Value) { state = Mutex(.free(value)) }

    /// Takes the value, after a pause task has given it back. Only for the receiving task.
    func take() async -> Value {
        if let value = takeIfFree() { return value }
        return await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                if case .free(let value) = state {
                    state = .taken
                    return value
                }
                state = .awaited(continuation)
                return nil
            }
            if let value { continuation.resume(returning: value) }
        }
    }

    /// Takes the value unless the other task has it.
    func takeIfFree() -> Value? {
        state.withLock { state in
            guard case .free(let value) = state else { return nil }
            state = .taken
            return value
        }
    }

    func giveBack(_ value: Value) {
        let waiting = state.withLock { state -> CheckedContinuation<Value, Never>? in
            if case .awaited(let continuation) = state {
                state = .taken
                return continuation
            }
            state = .free(value)
            return nil
        }
        waiting?.resume(returning: value)
    }
}
