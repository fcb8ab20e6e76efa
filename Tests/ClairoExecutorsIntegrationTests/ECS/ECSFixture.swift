import AWSClient
import AWSSigning
import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation

@testable import ClairoExecutors

/// An S3 server that checks signatures, and a substitute for ECS, for tests of executors.
struct ECSFixture {
    let standIn: ECSStandIn
    private let s3: S3Server
    private let bucket: String
    private let environment: [String: String]

    static func make(in scratch: Scratch) async throws -> ECSFixture {
        let s3 = try await S3Server.shared(.rclone)
        let bucket = try await s3.makeBucket()
        return ECSFixture(
            standIn: try await ECSStandIn.start(environment: s3.environment, in: scratch), s3: s3, bucket: bucket,
            environment: s3.environment)
    }

    func store(_ prefix: String) throws -> S3Store {
        try S3Store(url: "s3://\(bucket)/\(prefix)", environment: environment)
    }

    var output: S3Store { get throws { try store("out") } }
    var exchange: S3Store { get throws { try store("out/exchange") } }

    /// - Parameter endpoint: The endpoint of ECS (default: the substitute's).
    func client(clock: ECSClock = ECSClock(), endpoint: String? = nil) throws -> ECSClient {
        var environment = environment
        environment["AWS_ENDPOINT_URL_ECS"] = endpoint ?? standIn.endpoint
        return try ECSClient(AWSSystem.here(environment), clock: clock)
    }

    var placement: ECSPlacement {
        ECSPlacement(
            cluster: standIn.cluster, taskDefinition: standIn.taskDefinition, subnets: [standIn.subnet],
            securityGroups: [standIn.securityGroup])
    }

    /// Short intervals, for tasks that really run.
    static var quick: ECSExecutor.Pace {
        var pace = ECSExecutor.Pace()
        pace.poll = (0.02, 0.1)
        pace.look = (0.1, 0.5)
        pace.sign = 0.05
        pace.stopping = 20
        return pace
    }

    func executor(
        clock: ECSClock = ECSClock(), pace: ECSExecutor.Pace = quick, placement: ECSPlacement? = nil
    ) throws -> ECSExecutor {
        ECSExecutor(
            try client(clock: clock), placement: placement ?? self.placement, exchange: try exchange, pace: pace)
    }

    /// A job with its source and output in S3.
    func job(_ source: Data, name: String, settings: TranscodeSettings) async throws -> TaskJob {
        let (raw, output) = (try store("raw"), try output)
        let opened = try await onDedicatedThread(name: "upload") {
            try raw.put(source, at: "source")
            return try raw.open("source")
        }
        var job = TaskJob(source: opened, name: name, settings: settings)
        job.output = try store("out/videos/\(job.videoID)/\(job.jobID)")
        job.remote = RemoteOutput(store: output) { _ in }
        return job
    }

    /// All objects of a store, by key.
    static func contents(of store: any ObjectStore) async throws -> [String: Data] {
        try await onDedicatedThread(name: "contents") {
            Dictionary(
                uniqueKeysWithValues: try store.list(prefix: "").map { ($0.rawValue, try store.get($0)) })
        }
    }
}
