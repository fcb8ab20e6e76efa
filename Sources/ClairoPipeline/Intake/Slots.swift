/// Limits how many tasks of one kind run at once. Others wait in order, without a thread.
actor Slots {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    func run(_ body: @Sendable () async -> Void) async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
        await body()
        // The slot goes to the next task, or becomes free.
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
