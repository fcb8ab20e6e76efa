internal import AWSSigning
internal import ClairoCore
internal import Foundation
internal import Synchronization
internal import Testing

/// The order of the chain, and when it asks again.
struct CredentialChainTests {
    private static let imds = "http://169.254.169.254/latest"
    private static let roles = "GET \(imds)/meta-data/iam/security-credentials/"

    /// Something in every place.
    private static func everywhere(_ contents: inout World.Contents) {
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
        contents.answers["GET http://169.254.170.2/role"] = [(200, World.document("CONTAINER", end: 3600))]
        contents.answers["PUT \(imds)/api/token"] = [(200, "IMDSTOKEN")]
        contents.answers[roles] = [(200, "my role\n")]
        contents.answers["\(roles)my%20role"] = [(200, World.document("INSTANCE", end: 3600))]
    }

    @Test func theFirstPlaceThatHasCredentialsIsTheLastThatIsAsked() {
        let world = World(Self.everywhere)
        #expect(world.find().key == "ENVIRONMENT")
        world.contents.withLock { $0.environment["AWS_ACCESS_KEY_ID"] = "" }
        world.contents.withLock { $0.environment["AWS_SECRET_ACCESS_KEY"] = nil }
        #expect(world.find().key == "DEFAULT")
        #expect(world.requests.isEmpty)
        world.contents.withLock { $0.files = [:] }
        #expect(world.find().key == "CONTAINER")
        #expect(world.requests.count == 1)
        world.contents.withLock { $0.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = nil }
        #expect(world.find().key == "INSTANCE")
    }

    @Test func aProfileThatIsAskedForComesBeforeTheEnvironment() {
        let world = World(Self.everywhere)
        #expect(world.find(profile: "work").key == "WORK")
        // As with AWS's own tools, the variable only says which profile it is once the files are asked.
        world.contents.withLock { $0.environment["AWS_PROFILE"] = "work" }
        #expect(world.find().key == "ENVIRONMENT")
        world.contents.withLock { $0.environment["AWS_ACCESS_KEY_ID"] = nil }
        world.contents.withLock { $0.environment["AWS_SECRET_ACCESS_KEY"] = nil }
        #expect(world.find().key == "WORK")
        #expect(world.find(profile: "default").key == "DEFAULT")
    }

    @Test func anErrorSaysWhoWasAskedAndWhyInVain() throws {
        let error = try #require(World().find().error)
        #expect(error.kind == .missing)
        #expect(
            error.description == "no AWS credentials: environment: AWS_ACCESS_KEY_ID is not set; "
                + "profile default: not found in /home/me/.aws/credentials or /home/me/.aws/config; "
                + "container: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set; "
                + "instance metadata: the service does not answer: nobody is there")
    }

    @Test(arguments: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    func halfAPairInTheEnvironmentEndsTheSearch(name: String) throws {
        let world = World(Self.everywhere)
        world.contents.withLock { $0.environment[name] = nil }
        let error = try #require(world.find().error)
        #expect(error.kind == .invalid)
        #expect(error.attempts.map(\.provider) == ["environment"])
        #expect(error.description.contains("\(name) is not"))
        #expect(!error.description.contains("SECRET\""))
    }

    @Test func theEnvironmentGivesATokenToo() throws {
        let world = World(Self.everywhere)
        #expect(try world.find().get().sessionToken == nil)
        world.contents.withLock { $0.environment["AWS_SESSION_TOKEN"] = "TOKEN" }
        #expect(try world.find().get().sessionToken == "TOKEN")
    }

    // MARK: Renewal

    /// A container that returns its credentials in turn.
    private static func container(_ documents: String...) -> World {
        World { contents in
            contents.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://localhost/role"
            contents.answers["GET http://localhost/role"] = documents.map { $0.isEmpty ? (500, "") : (200, $0) }
        }
    }

    @Test func credentialsAreKeptUntilFiveMinutesBeforeTheirEnd() throws {
        let world = Self.container(World.document("A", end: 3600), World.document("B", end: 7200))
        let chain = AWSCredentialChain(world.system)
        for seconds in [0, 1800, 1499] {
            world.pass(TimeInterval(seconds))
            #expect(try chain.credentials().accessKeyID == "A")
        }
        #expect(world.requests.count == 1)
        world.pass(1)
        #expect(try chain.credentials().accessKeyID == "B")
        #expect(world.requests.count == 2)
    }

    @Test func credentialsThatStayAreFoundOnce() throws {
        let world = World(Self.everywhere)
        let chain = AWSCredentialChain(world.system)
        #expect(try chain.credentials().accessKeyID == "ENVIRONMENT")
        world.pass(1e9)
        #expect(try chain.credentials().accessKeyID == "ENVIRONMENT")
    }

    @Test func aRenewalThatFailsKeepsTheOldOnesWhileTheyLast() throws {
        let world = Self.container(
            World.document("A", end: 3600), "", "", "", "", "", "", World.document("B", end: 9000))
        let chain = AWSCredentialChain(world.system)
        #expect(try chain.credentials().accessKeyID == "A")
        world.pass(3400)
        #expect(try chain.credentials().accessKeyID == "A")
        #expect(world.requests.count == 4)
        // It is not asked again at once.
        #expect(try chain.credentials().accessKeyID == "A")
        #expect(world.requests.count == 4)
        // In the last minute it is asked too, and still does no harm.
        world.pass(170)
        #expect(try chain.credentials().accessKeyID == "A")
        #expect(world.requests.count == 7)
        world.pass(30)
        #expect(try chain.credentials().accessKeyID == "B")
    }

    @Test func expiredCredentialsAreNeverGiven() throws {
        let world = Self.container(World.document("A", end: 3600), World.document("A", end: 3600))
        let chain = AWSCredentialChain(world.system)
        #expect(try chain.credentials().accessKeyID == "A")
        world.pass(3600)
        let error = #expect(throws: AWSCredentialsError.self) { try chain.credentials() }
        #expect(error?.kind == .unavailable)
        #expect(error?.description.contains("have expired") == true)
    }

    @Test func refusedCredentialsAreForgottenOnce() throws {
        let world = Self.container(World.document("A", end: 3600), World.document("B", end: 3600))
        let chain = AWSCredentialChain(world.system)
        let first = try chain.credentials()
        chain.invalidate(first)
        #expect(try chain.credentials().accessKeyID == "B")
        // A second request that was refused for the old ones.
        chain.invalidate(first)
        #expect(try chain.credentials().accessKeyID == "B")
        #expect(world.requests.count == 2)
    }

    /// Blocks fetches until all callers have arrived.
    private final class Crowd: Sendable {
        private let missing: Mutex<Int>
        private let isHeld = Mutex(false)
        private let gate = DispatchSemaphore(value: 0)

        init(of callers: Int) { missing = Mutex(callers) }

        func hold() { isHeld.withLock { $0 = true } }

        func wait() {
            if isHeld.withLock({ $0 }) { gate.wait() }
        }

        func arrive() {
            let isLast = missing.withLock {
                $0 -= 1
                return $0 == 0
            }
            // One for each fetch that there may be.
            if isLast { for _ in 0..<100 { gate.signal() } }
        }
    }

    /// What sixteen threads get that ask at once, some seconds after one has asked.
    private func ask(_ world: World, after seconds: TimeInterval? = nil) async throws -> [String] {
        let crowd = Crowd(of: 16)
        var system = world.system
        let fetch = system.fetch
        system.fetch = { request in
            crowd.wait()
            return try fetch(request)
        }
        let chain = AWSCredentialChain(system)
        if let seconds {
            _ = try chain.credentials()
            world.pass(seconds)
        }
        crowd.hold()
        return try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    try await onDedicatedThread(name: "caller") {
                        crowd.arrive()
                        return try chain.credentials().accessKeyID
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test func manyCallersAskOnce() async throws {
        let world = Self.container(World.document("A", end: 3600), World.document("B", end: 3600))
        let keys = try await ask(world)
        #expect(keys == Array(repeating: "A", count: 16))
        #expect(world.requests.count == 1)
    }

    @Test func callersInTheLastMinuteGetTheNewOnes() async throws {
        let world = Self.container(World.document("A", end: 3600), World.document("B", end: 7200))
        let keys = try await ask(world, after: 3570)
        #expect(keys == Array(repeating: "B", count: 16))
        #expect(world.requests.count == 2)
    }

    @Test func callersBeforeTheLastMinuteGoOnWithTheOldOnes() async throws {
        let world = Self.container(World.document("A", end: 3600), World.document("B", end: 7200))
        let keys = try await ask(world, after: 3400)
        #expect(keys.allSatisfy { $0 == "A" || $0 == "B" })
        #expect(keys.contains("B"))
        #expect(world.requests.count == 2)
    }
}
