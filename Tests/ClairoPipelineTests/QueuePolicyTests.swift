import ClairoCore
import Testing

@testable import ClairoPipeline

@Suite struct QueuePolicyTests {
    private let now = Timestamp(microseconds: 1_800_000_000_000_000)

    private func job(
        _ priority: Priority = .normal, tenant: String = "default", after last: Timestamp? = nil, at time: Timestamp,
        policy: QueuePolicy = QueuePolicy()
    ) -> Job {
        Job(
            id: .make(), videoID: .make(), profile: "default", priority: priority, tenant: tenant,
            queueAt: policy.position(tenant: tenant, last: last, now: time), traceID: "", createdAt: time)
    }

    private func position(ofChunk index: Int, wave: Int = 0, _ job: Job) -> Timestamp {
        QueuePolicy().position(of: Chunk(index: index, wave: wave, segments: 0..<1, seekTimestamp: nil), in: job)
    }

    @Test func aHigherPriorityGoesFirst() {
        let positions = [Priority.high, .normal, .low].map { QueuePolicy().position(in: job($0, at: now)) }
        #expect(positions == positions.sorted())
        #expect(Set(positions).count == 3)
    }

    @Test func aTaskIsNotOvertakenAfterALongWait() {
        let patient = job(.low, at: now)
        let late = job(.high, at: now.advanced(bySeconds: 601))
        #expect(QueuePolicy().position(in: patient) < QueuePolicy().position(in: late))
    }

    @Test func aShortJobIsInterleavedWithALongOne() {
        let long = job(at: now)
        let short = job(at: now.advanced(bySeconds: 20))
        #expect(position(ofChunk: 0, long) < position(ofChunk: 0, short))
        #expect(position(ofChunk: 0, short) < position(ofChunk: 5, long))
    }

    @Test func aFinishTaskKeepsThePositionOfItsJob() {
        let job = job(at: now)
        #expect(QueuePolicy().position(in: job) <= position(ofChunk: 1, job))
    }

    @Test func aLaterWaveWaitsForTheFirstWaveOfAllJobs() {
        let (early, late) = (job(.high, at: now), job(.low, at: now.advanced(bySeconds: 80_000)))
        #expect(position(ofChunk: 7, early) < position(ofChunk: 8, wave: 1, early))
        #expect(position(ofChunk: 0, late) < position(ofChunk: 8, wave: 1, early))
        #expect(position(ofChunk: 16, wave: 2, early) > position(ofChunk: 15, wave: 1, early))
    }

    @Test func aLaterWaveIsNotOvertakenForEver() {
        let (patient, late) = (job(at: now), job(.high, at: now.advanced(bySeconds: 90_000)))
        #expect(position(ofChunk: 1, wave: 1, patient) < position(ofChunk: 0, late))
    }

    @Test func manyJobsOfOneTenantLeaveRoomForAnother() {
        let policy = QueuePolicy()
        var last: Timestamp?
        let flood = (0..<1000).map { _ in
            let job = job(tenant: "flood", after: last, at: now)
            last = job.queueAt
            return policy.position(in: job)
        }
        let other = policy.position(in: job(tenant: "other", at: now.advanced(bySeconds: 5)))
        #expect(flood.count { $0 < other } < 10)
    }

    @Test func aTenantsShareFollowsItsWeight() throws {
        let policy = try QueuePolicy("gold=4,trial=0.5")
        var positions: [String: [Timestamp]] = [:]
        for tenant in ["gold", "trial"] {
            var last: Timestamp?
            for _ in 0..<200 {
                let job = job(tenant: tenant, after: last, at: now, policy: policy)
                last = job.queueAt
                positions[tenant, default: []].append(job.queueAt)
            }
        }
        let first =
            (positions["gold", default: []].map { ($0, "gold") } + positions["trial", default: []].map { ($0, "trial") })
            .sorted { $0.0 < $1.0 }.prefix(90)
        #expect(first.count { $0.1 == "gold" } == 80)
    }

    @Test(arguments: ["gold", "gold=", "=2", "gold=0", "gold=-1", "gold=nan", "a=1=2"])
    func invalidWeightsAreRefused(_ text: String) {
        #expect(throws: ClairoError.self) { try QueuePolicy(text) }
    }
}
