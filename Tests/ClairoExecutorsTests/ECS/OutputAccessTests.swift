import AWSClient
import AWSSigning
import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoExecutors

/// The access of an ECS task to the output folder of its job, and to nothing else.
@Suite struct OutputAccessTests {
    private static let arn = "arn:aws:iam::123456789012:role/clairo/output"
    private static let output = ObjectLocation(bucket: "videos", key: "out/", url: "s3://videos/out/")

    private let job = TaskJob(source: MemorySource(Data([1])), name: "x", settings: TranscodeSettings())

    // MARK: The role and the policy

    @Test(arguments: [
        "", "output", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x", "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/x y", "arn:gcp:iam::123456789012:role/x",
    ])
    func onlyTheARNOfARoleIsAccepted(_ text: String) {
        #expect { try ECSOutputRole(text) } throws: { ($0 as? ClairoError)?.exitCode == .configuration }
    }

    @Test func thePolicyAllowsTheJobsFolderOnly() throws {
        let folder = JobFolder(video: job.videoID, job: job.jobID)
        let policy = try JobPolicy(output: Self.output, folder: folder, role: ECSOutputRole(Self.arn)).json
        let job = "out/videos/\(job.videoID)/\(job.jobID)/*"
        let expected = """
            {"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject","s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts"],"Resource":"arn:aws:s3:::videos/\(job)"},
            {"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload"],
            "Resource":"arn:aws:s3:::videos/out/.clairo-check"},
            {"Effect":"Allow","Action":["s3:ListBucket"],"Resource":"arn:aws:s3:::videos",
            "Condition":{"StringLike":{"s3:prefix":"\(job)"}}},
            {"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*"}]}
            """
        let (found, wanted) = (
            try JSONSerialization.jsonObject(with: Data(policy.utf8)) as? NSDictionary,
            try JSONSerialization.jsonObject(with: Data(expected.utf8)) as? NSDictionary
        )
        #expect(found == wanted, "\(policy)")
        // The limit of AWS.
        #expect(policy.utf8.count < 2048)
    }

    @Test func namesAreNoPatternsAndThePartitionIsTheRoles() throws {
        let role = try ECSOutputRole("arn:aws-cn:iam::123456789012:role/x")
        let output = ObjectLocation(bucket: "b", key: "a*b?c$d/", url: "")
        let policy = JobPolicy(
            output: output, folder: JobFolder(video: job.videoID, job: job.jobID), role: role)
        #expect(policy.statements[1].resource == "arn:aws-cn:s3:::b/a${*}b${?}c${$}d/.clairo-check")
    }

    // MARK: Credentials

    private struct Service {
        let server: StubServer
        let bodies = Box()

        final class Box: Sendable {
            let mutex = Mutex<[String]>([])
        }

        /// - Parameter reply: The reply to a request, by its number from 1.
        init(_ reply: @escaping @Sendable (Int) -> HTTPResponse) throws {
            let bodies = bodies
            server = try StubServer { _, body in
                let number = bodies.mutex.withLock { bodies in
                    bodies.append(String(decoding: body, as: UTF8.self))
                    return bodies.count
                }
                return reply(number)
            }
        }

        var requests: [String] { bodies.mutex.withLock { $0 } }
    }

    private static func session(_ name: String, seconds: Double) -> HTTPResponse {
        let end = Date(timeIntervalSinceNow: seconds).formatted(.iso8601)
        return HTTPResponse(
            200,
            """
            <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
            <AccessKeyId>\(name)</AccessKeyId><SecretAccessKey>s+/=&amp;</SecretAccessKey>
            <SessionToken>t</SessionToken><Expiration>\(end)</Expiration></Credentials></AssumeRoleResult>
            </AssumeRoleResponse>
            """)
    }

    private func access(_ service: Service) throws -> OutputAccess {
        var environment = S3Server.environment(endpoint: service.server.url)
        environment["AWS_ENDPOINT_URL_STS"] = service.server.url
        environment["AWS_MAX_ATTEMPTS"] = "2"
        return OutputAccess(
            try STSClient(AWSSystem.here(environment)), role: try ECSOutputRole(Self.arn),
            spec: job.spec(.probe(name: "x")), output: Self.output)
    }

    private func credentials(_ access: OutputAccess) async throws -> OutputCredentials {
        try await onDedicatedThread(name: "access") { () throws(ClairoError) in
            try access.credentials(stop: StopRequest())
        }
    }

    @Test func theRoleIsAssumedWithThePolicyOfTheJob() async throws {
        let service = try Service { _ in Self.session("first", seconds: 3600) }
        defer { service.server.stop() }
        let access = try access(service)
        let found = try await credentials(access).credentials
        #expect(found.accessKeyID == "first" && found.secretAccessKey == "s+/=&" && found.sessionToken == "t")
        #expect(try #require(found.expiration).timeIntervalSinceNow > 1800)
        let request = try #require(service.requests.first)
        #expect(request.hasPrefix("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3A"))
        #expect(request.contains("%22Resource%22") && request.contains(job.jobID.rawValue))
        // They are valid for a while, so the next call needs no request.
        _ = try await credentials(access)
        #expect(service.requests.count == 1)
    }

    @Test func credentialsAreRenewedBeforeTheyExpireAndKeptIfThatFails() async throws {
        let service = try Service { number in
            switch number {
            case 1: Self.session("first", seconds: 600)
            case 2: Self.session("second", seconds: 600)
            default:
                HTTPResponse(
                    403,
                    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
                )
            }
        }
        defer { service.server.stop() }
        let access = try access(service)
        var keys: [String] = []
        for _ in 0..<3 { keys.append(try await credentials(access).accessKeyID) }
        #expect(keys == ["first", "second", "second"])
    }

    @Test func aRoleThatCannotBeAssumedIsAnOperatorsConcern() async throws {
        let service = try Service { _ in
            HTTPResponse(
                403,
                """
                <ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
                <Code>AccessDenied</Code><Message>User is not authorized to perform: sts:AssumeRole</Message></Error>
                <RequestId>r-7</RequestId></ErrorResponse>
                """)
        }
        defer { service.server.stop() }
        let access = try access(service)
        let error = try await #require(throws: ClairoError.self) { try await credentials(access) }
        #expect(error.kind == .refused && error.exitCode == .noPermission)
        #expect(error.message.contains(Self.arn) && error.message.contains("not authorized"), "\(error)")
        #expect(error.advice?.contains("sts:AssumeRole") == true)
    }

    @Test func aReplyWithoutCredentialsIsRetriedAndReported() async throws {
        let service = try Service { _ in HTTPResponse(200, "<AssumeRoleResponse/>") }
        defer { service.server.stop() }
        let access = try access(service)
        let error = try await #require(throws: ClairoError.self) { try await credentials(access) }
        #expect(error.kind == .transient && service.requests.count > 1)
    }

    // MARK: The document

    @Test func theLeaseCarriesTheCredentialsAndNoDescriptionShowsThem() throws {
        let credentials = OutputCredentials(
            AWSCredentials(
                accessKeyID: "AKIAEXAMPLE1234", secretAccessKey: "hunter2", sessionToken: "hunter3",
                expiration: Date(timeIntervalSince1970: 1_800_000_000)))
        let lease = ExchangeLease(beat: 1, sourceURL: nil, output: credentials)
        let read = try JSONDecoder().decode(ExchangeLease.self, from: JSON.encode(lease))
        #expect(read == lease)
        #expect(read.output?.credentials.secretAccessKey == "hunter2")
        #expect(read.output?.credentials.expiration == Date(timeIntervalSince1970: 1_800_000_000))
        #expect(!"\(credentials)".contains("hunter"))
        // A lease of a worker whose tasks use their own role.
        #expect(try JSONDecoder().decode(ExchangeLease.self, from: Data(#"{"beat":1}"#.utf8)).output == nil)
    }
}
