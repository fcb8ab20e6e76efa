import ClairoCore
import Synchronization
import Testing

@Suite struct StopRequestTests {
    @Test func handlersAreCalledOnceInOrder() {
        let stop = StopRequest()
        let calls = Mutex<[Int]>([])
        for number in 0..<3 { stop.onCancel { calls.withLock { $0.append(number) } } }
        stop.cancel()
        stop.cancel()
        #expect(calls.withLock { $0 } == [0, 1, 2])
    }

    @Test func aHandlerAddedAfterCancellationIsCalledAtOnce() {
        let stop = StopRequest()
        stop.cancel()
        let calls = Mutex(0)
        stop.onCancel { calls.withLock { $0 += 1 } }
        #expect(calls.withLock { $0 } == 1)
    }

    @Test func aRemovedHandlerIsNeitherCalledNorRetained() {
        final class Thing: Sendable {}
        let stop = StopRequest()
        var thing: Thing? = Thing()
        weak let kept = thing
        let handler = stop.onCancel { [thing] in
            _ = thing
            Issue.record("A removed handler was called")
        }
        stop.onCancel {}
        stop.forget(handler)
        thing = nil
        #expect(kept == nil)
        stop.cancel()
    }
}
