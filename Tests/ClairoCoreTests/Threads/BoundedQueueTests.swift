import ClairoCore
import Synchronization
import Testing

@Suite struct BoundedQueueTests {
    @Test func elementsArriveInOrderFollowedByTheEnd() {
        let queue = BoundedQueue<Int>(capacity: 3)
        let producer = WorkerThread(name: "producer") {
            for value in 0..<1000 where !queue.push(value) { throw ClairoError.defect("\(value) was refused") }
            queue.finish()
        }
        var values: [Int] = []
        while let value = queue.pop() { values.append(value) }
        #expect(producer.join() == nil)
        #expect(values == Array(0..<1000))
        #expect(queue.pop() == nil)
    }

    @Test func producerIsNeverMoreThanTheCapacityAhead() {
        let queue = BoundedQueue<Int>(capacity: 4)
        let pushed = Atomic<Int>(0)
        let producer = WorkerThread(name: "producer") {
            for value in 0..<500 where queue.push(value) { pushed.add(1, ordering: .sequentiallyConsistent) }
            queue.finish()
        }
        var popped = 0
        while queue.pop() != nil {
            popped += 1
            #expect(pushed.load(ordering: .sequentiallyConsistent) <= popped + 4)
        }
        #expect(producer.join() == nil)
        #expect(popped == 500)
    }

    @Test func aFinishedQueueStillDeliversItsElements() {
        let queue = BoundedQueue<String>(capacity: 2)
        #expect(queue.push("a") && queue.push("b"))
        queue.finish()
        #expect([queue.pop(), queue.pop(), queue.pop()] == ["a", "b", nil])
    }

    @Test func abandonWakesAProducerThatWaitsForSpace() {
        let queue = BoundedQueue<Int>(capacity: 1)
        #expect(queue.push(1))
        let result = Mutex<Bool?>(nil)
        let producer = WorkerThread(name: "producer") { result.withLock { $0 = queue.push(2) } }
        queue.abandon()
        #expect(producer.join() == nil)
        #expect(result.withLock { $0 } == false)
        #expect(queue.pop() == nil)
    }

    @Test func abandonOrFinishWakesAConsumerThatWaits() {
        for end in [BoundedQueue<Int>.abandon, BoundedQueue<Int>.finish] {
            let queue = BoundedQueue<Int>(capacity: 1)
            let isNil = Mutex(false)
            let consumer = WorkerThread(name: "consumer") { isNil.withLock { $0 = queue.pop() == nil } }
            end(queue)()
            #expect(consumer.join() == nil)
            #expect(isNil.withLock { $0 })
        }
    }

    @Test func anAbandonedQueueDropsItsElements() {
        let queue = BoundedQueue<Int>(capacity: 2)
        #expect(queue.push(1))
        queue.abandon()
        #expect(queue.pop() == nil)
        #expect(!queue.push(2))
    }
}
