internal import AWSSigning
internal import ClairoCore
internal import Foundation
internal import Synchronization
internal import Testing

/// The order of the chain, and when it fetches credentials again.
struct CredentialChainTests {
    private static let imds = "http://169.254.169.254/latest"
    private static let roles = "GET \(imds)/meta-data/iam/security-credentials/"

    /// Credentials in every source.
    private static func everywhere(_ contents: inout FakeSystem.Contents) {
        contents.environment["AWS_ACCESS_KEY_ID"] = "ENVIRONMENT"
        contents.environment["AWS_SECRET_ACCESS_KEY"] = "SECRET"
        contents.files["/home/me/.aws/credentials"] = """
            [default]
            aws_access_key_id = DEFAULT
            aws_secret_access_key = SECRET
            [work]
            aws_access_key_id = WORK
            aws_secret_access_key = SECRET
            """
        contents.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/role"
        contents.answers["GET http://169.254.170.2/role"] = [(200, FakeSystem.document("CONTAINER", end: 3600))]
        contents.answers["PUT \(imds)/api/token"] = [(200, "IMDSTOKEN")]
        contents.answers[roles] = [(200, "my role\n")]
        contents.answers["\(roles)my%20role"] = [(200, FakeSystem.document("INSTANCE", end: 3600))]
    }

    @Test func theSearchStopsAtTheFirstSourceWithCredentials() {
        let fake = FakeSystem(Self.everywhere)
        #expect(fake.find().key == "ENVIRONMENT")
        fake.contents.withLock { $0.environment["AWS_ACCESS_KEY_ID"] = "" }
        fake.contents.withLock { $0.environment["AWS_SECRET_ACCESS_KEY"] = nil }
        #expect(fake.find().key == "DEFAULT")
        #expect(fake.requests.isEmpty)
        fake.contents.withLock { $0.files = [:] }
        #expect(fake.find().key == "CONTAINER")
        #expect(fake.requests.count == 1)
        fake.contents.withLock { $0.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = nil }
        #expect(fake.find().key == "INSTANCE")
    }

    @Test func anExplicitProfileTakesPrecedenceOverTheEnvironment() {
        let fake = FakeSystem(Self.everywhere)
        #expect(fake.find(profile: "work").key == "WORK")
        // As with AWS's own tools, the variable only selects the profile once the files are read.
        fake.contents.withLock { $0.environment["AWS_PROFILE"] = "work" }
        #expect(fake.find().key == "ENVIRONMENT")
        fake.contents.withLock { $0.environment["AWS_ACCESS_KEY_ID"] = nil }
        fake.contents.withLock { $0.environment["AWS_SECRET_ACCESS_KEY"] = nil }
        #expect(fake.find().key == "WORK")
        #expect(fake.find(profile: "default").key == "DEFAULT")
    }

    @Test func theErrorListsEachSourceAndWhyItHadNoCredentials() throws {
        let error = try #require(FakeSystem().find().error)
        #expect(error.kind == .missing)
        #expect(
            error.description == "no AWS credentials: environment: AWS_ACCESS_KEY_ID is not set; "
                + "profile default: not found in /home/me/.aws/credentials or /home/me/.aws/config; "
                + "container: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set; "
                + "instance metadata: the service does not answer: no reply")
    }

    @Test(arguments: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    func anIncompleteKeyPairInTheEnvironmentEndsTheSearch(name: String) throws {
        let fake = FakeSystem(Self.everywhere)
        fake.contents.withLock { $0.environment[name] = nil }
        let error = try #require(fake.find().error)
        #expect(error.kind == .invalid)
        #expect(error.attempts.map(\.provider) == ["environment"])
        #expect(error.description.contains("\(name) is not"))
        #expect(!error.description.contains("SECRET\""))
    }

    @Test func readsASessionTokenFromTheEnvironment() throws {
        let fake = FakeSystem(Self.everywhere)
        #expect(try fake.find().get().sessionToken == nil)
        fake.contents.withLock { $0.environment["AWS_SESSION_TOKEN"] = "TOKEN" }
        #expect(try fake.find().get().sessionToken == "TOKEN")
    }

    // MARK: Renewal

    /// A container endpoint that returns these documents in order.
    private static func container(_ documents: String...) -> FakeSystem {
        FakeSystem { contents in
            contents.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://localhost/role"
            contents.answers["GET http://localhost/role"] = documents.map { $0.isEmpty ? (500, "") : (200, $0) }
        }
    }

    @Test func credentialsAreCachedUntilFiveMinutesBeforeTheyExpire() throws {
        let fake = Self.container(FakeSystem.document("A", end: 3600), FakeSystem.document("B", end: 7200))
        let chain = AWSCredentialChain(fake.system)
        for seconds in [0, 1800, 1499] {
            fake.pass(TimeInterval(seconds))
            #expect(try chain.credentials().accessKeyID == "A")
        }
        #expect(fake.requests.count == 1)
        fake.pass(1)
        #expect(try chain.credentials().accessKeyID == "B")
        #expect(fake.requests.count == 2)
    }

    @Test func credentialsWithoutAnExpiryAreLookedUpOnce() throws {
        let fake = FakeSystem(Self.everywhere)
        let chain = AWSCredentialChain(fake.system)
        #expect(try chain.credentials().accessKeyID == "ENVIRONMENT")
        fake.pass(1e9)
        #expect(try chain.credentials().accessKeyID == "ENVIRONMENT")
    }

    @Test func aFailedRenewalKeepsTheOldCredentialsUntilTheyExpire() throws {
        let fake = Self.container(
            FakeSystem.document("A", end: 3600), "", "", "", "", "", "", FakeSystem.document("B", end: 9000))
        let chain = AWSCredentialChain(fake.system)
        #expect(try chain.credentials().accessKeyID == "A")
        fake.pass(3400)
        #expect(try chain.credentials().accessKeyID == "A")
        #expect(fake.requests.count == 4)
        // It does not retry at once.
        #expect(try chain.credentials().accessKeyID == "A")
        #expect(fake.requests.count == 4)
        // In the last minute it retries, and a failure is still harmless.
        fake.pass(170)
        #expect(try chain.credentials().accessKeyID == "A")
        #expect(fake.requests.count == 7)
        fake.pass(30)
        #expect(try chain.credentials().accessKeyID == "B")
    }

    @Test func expiredCredentialsAreNeverReturned() throws {
        let fake = Self.container(FakeSystem.document("A", end: 3600), FakeSystem.document("A", end: 3600))
        let chain = AWSCredentialChain(fake.system)
        #expect(try chain.credentials().accessKeyID == "A")
        fake.pass(3600)
        let error = #expect(throws: AWSCredentialsError.self) { try chain.credentials() }
        #expect(error?.kind == .unavailable)
        #expect(error?.description.contains("have expired") == true)
    }

    @Test func invalidatingCredentialsTwiceFetchesNewOnesOnce() throws {
        let fake = Self.container(FakeSystem.document("A", end: 3600), FakeSystem.document("B", end: 3600))
        let chain = AWSCredentialChain(fake.system)
        let first = try chain.credentials()
        chain.invalidate(first)
        #expect(try chain.credentials().accessKeyID == "B")
        // A second request that was refused with the old credentials.
        chain.invalidate(first)
        #expect(try chain.credentials().accessKeyID == "B")
        #expect(fake.requests.count == 2)
    }

    /// Blocks fetches until all callers have arrived.
    private final class CallerBarrier: Sendable {
        private let missing: Mutex<Int>
        private let isClosed = Mutex(false)
        private let gate = DispatchSemaphore(value: 0)

        init(of callers: Int) { missing = Mutex(callers) }

        func close() { isClosed.withLock { $0 = true } }

        func wait() {
            if isClosed.withLock({ $0 }) { gate.wait() }
        }

        func arrive() {
            let isLast = missing.withLock {
                $0 -= 1
                return $0 == 0
            }
            // Enough for every possible fetch.
            if isLast { for _ in 0..<100 { gate.signal() } }
        }
    }

    /// The keys that sixteen concurrent threads get, `seconds` after a first call.
    private func ask(_ fake: FakeSystem, after seconds: TimeInterval? = nil) async throws -> [String] {
        let barrier = CallerBarrier(of: 16)
        var system = fake.system
        let fetch = system.fetch
        system.fetch = { request in
            barrier.wait()
            return try fetch(request)
        }
        let chain = AWSCredentialChain(system)
        if let seconds {
            _ = try chain.credentials()
            fake.pass(seconds)
        }
        barrier.close()
        return try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    try await onDedicatedThread(name: "caller") {
                        barrier.arrive()
                        return try chain.credentials().accessKeyID
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test func concurrentCallersFetchCredentialsOnce() async throws {
        let fake = Self.container(FakeSystem.document("A", end: 3600), FakeSystem.document("B", end: 3600))
        let keys = try await ask(fake)
        #expect(keys == Array(repeating: "A", count: 16))
        #expect(fake.requests.count == 1)
    }

    @Test func callersInTheLastMinuteWaitForTheNewCredentials() async throws {
        let fake = Self.container(FakeSystem.document("A", end: 3600), FakeSystem.document("B", end: 7200))
        let keys = try await ask(fake, after: 3570)
        #expect(keys == Array(repeating: "B", count: 16))
        #expect(fake.requests.count == 2)
    }

    @Test func callersBeforeTheLastMinuteUseTheOldCredentials() async throws {
        let fake = Self.container(FakeSystem.document("A", end: 3600), FakeSystem.document("B", end: 7200))
        let keys = try await ask(fake, after: 3400)
        #expect(keys.allSatisfy { $0 == "A" || $0 == "B" })
        #expect(keys.contains("B"))
        #expect(fake.requests.count == 2)
    }
}
