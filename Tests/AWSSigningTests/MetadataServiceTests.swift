internal import AWSSigning
internal import ClairoCore
internal import ClairoTestSupport
internal import Foundation
internal import Testing

/// The credential endpoints of containers and instances.
struct MetadataServiceTests {
    // MARK: Containers

    private static func container(
        _ environment: [String: String], answers: [(status: Int, body: String)] = [(200, FakeSystem.document("C"))]
    ) -> FakeSystem {
        FakeSystem { contents in
            contents.environment.merge(environment) { $1 }
            contents.environment["AWS_EC2_METADATA_DISABLED"] = "true"
            let url =
                environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"].map { "http://169.254.170.2\($0)" }
                ?? environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] ?? ""
            contents.answers["GET \(url)"] = answers
            contents.files["/token"] = "FROM-FILE"
            contents.files["/broken"] = "FROM\r\nX-Evil: 1"
        }
    }

    private static let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
    private static let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI"

    @Test func theRelativeURITakesPrecedence() throws {
        let fake = Self.container([Self.relative: "/v2/credentials/id", Self.full: "http://elsewhere/"])
        let found = try fake.find().get()
        #expect(found.accessKeyID == "C")
        #expect(found.sessionToken == "TOKEN")
        #expect(found.expiration == nil)
        #expect(fake.requests.map(\.timeout) == [.seconds(2)])
        #expect(fake.requests.first?.headers == [.init("Accept", "application/json")])
    }

    @Test(arguments: [
        "https://anywhere.example/x", "http://localhost:99/x", "http://127.0.0.1/x", "http://127.9.8.7:1/",
        "http://169.254.170.2/x", "http://169.254.170.23/v1", "http://[fd00:ec2::23]/v1", "http://[::1]:8/",
        "HTTP://LOCALHOST/",
    ])
    func aFullURIIsAcceptedIfItIsLocalOrHTTPS(url: String) {
        #expect(Self.container([Self.full: url]).find().key == "C")
    }

    @Test(arguments: [
        "http://anywhere.example/x", "http://169.254.169.254/", "http://127.0.0.1.example/", "http://127.1/",
        "http://127.0.0.256/", "http://localhost.example/", "http://localhost@evil.example/",
        "http://evil@localhost/", "http://evil.example\\@localhost/", "ftp://localhost/", "//localhost/", "localhost",
        "x",
    ])
    func anyOtherFullURIIsRefused(url: String) {
        let fake = Self.container([Self.full: url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "TOKEN"])
        #expect(fake.find().error?.kind == .invalid)
        #expect(fake.find().reason?.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI") == true)
        #expect(fake.requests.isEmpty)
    }

    @Test func theTokenFileTakesPrecedenceOverTheToken() {
        var environment = [Self.relative: "/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "VARIABLE"]
        #expect(token(environment) == "VARIABLE")
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/token"
        #expect(token(environment) == "FROM-FILE")
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/none"
        #expect(token(environment) == nil)
    }

    private func token(_ environment: [String: String]) -> String? {
        let fake = Self.container(environment)
        _ = fake.find()
        return fake.requests.first?.headers.first { $0.name == "Authorization" }?.value
    }

    @Test(arguments: [
        ["AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\nb"], ["AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\rb"],
        ["AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nb"], ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/broken"],
    ])
    func aTokenWithALineBreakIsRefused(environment: [String: String]) {
        let fake = Self.container(environment.merging([Self.relative: "/x"]) { $1 })
        #expect(fake.find().reason == "container: the authorization token contains a line break")
        #expect(fake.requests.isEmpty)
    }

    @Test func aBusyEndpointIsTriedThreeTimes() {
        let fake = Self.container(
            [Self.relative: "/x"], answers: [(500, ""), (200, "no json"), (200, FakeSystem.document("C"))])
        #expect(fake.find().key == "C")
        #expect(fake.pauses == [.seconds(1), .seconds(1)])

        let busy = Self.container([Self.relative: "/x"], answers: [(429, "SECRET")])
        #expect(busy.find().error?.kind == .unavailable)
        #expect(busy.find().reason == "container: the endpoint answered HTTP 429")
        #expect(busy.requests.count == 6)
        let silent = Self.container([Self.relative: "/x"], answers: [])
        #expect(silent.find().reason == "container: the endpoint does not answer: no reply")
        #expect(silent.requests.count == 3)
    }

    @Test func anEndpointThatRefusesIsTriedOnceAndEndsTheSearch() {
        let fake = Self.container([Self.relative: "/x"], answers: [(403, "")])
        #expect(fake.find().error?.kind == .invalid)
        #expect(fake.requests.count == 1)
    }

    // MARK: Instances

    private static let base = "http://169.254.169.254/latest"

    private static func instance(
        base: String = base, environment: [String: String] = [:], token: (Int, String)? = (200, "IMDSTOKEN"),
        roles: (Int, String) = (200, "role"), credentials: (Int, String) = (200, FakeSystem.document("I", end: 3600))
    ) -> FakeSystem {
        FakeSystem { contents in
            contents.environment.merge(environment) { $1 }
            contents.answers["PUT \(base)/api/token"] = token.map { [$0] }
            contents.answers["GET \(base)/meta-data/iam/security-credentials/"] = [roles]
            contents.answers["GET \(base)/meta-data/iam/security-credentials/role"] = [credentials]
        }
    }

    @Test func requestsToInstanceMetadataAlwaysCarryAToken() {
        let fake = Self.instance()
        #expect(fake.find().key == "I")
        #expect(
            fake.requests.map(\.headers) == [
                [.init("X-aws-ec2-metadata-token-ttl-seconds", "21600")],
                [.init("X-aws-ec2-metadata-token", "IMDSTOKEN")], [.init("X-aws-ec2-metadata-token", "IMDSTOKEN")],
            ])
        #expect(fake.requests.allSatisfy { $0.timeout == .seconds(1) })
    }

    @Test func theServiceCanBeRelocatedOrDisabled() {
        let own = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
        #expect(
            Self.instance(base: "http://127.0.0.1:8/latest", environment: [own: "http://127.0.0.1:8/"]).find().key
                == "I")
        #expect(Self.instance(environment: [own: "127.0.0.1"]).find().error?.kind == .invalid)
        let six = Self.instance(
            base: "http://[fd00:ec2::254]/latest", environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"])
        #expect(six.find().key == "I")
        let off = Self.instance(environment: ["AWS_EC2_METADATA_DISABLED": "TRUE"])
        #expect(off.find().reason == "instance metadata: AWS_EC2_METADATA_DISABLED is true")
        #expect(off.requests.isEmpty)
    }

    @Test func timeoutAndAttemptsAreConfigurable() {
        let fake = Self.instance(
            environment: ["AWS_METADATA_SERVICE_TIMEOUT": "5", "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3"], token: nil)
        #expect(fake.find().error?.kind == .missing)
        #expect(fake.requests.map(\.timeout) == Array(repeating: .seconds(5), count: 3))
        let wrong = Self.instance(environment: ["AWS_METADATA_SERVICE_TIMEOUT": "soon"])
        #expect(wrong.find().error?.kind == .invalid)
    }

    @Test func aMachineThatIsNotEC2OrHasNoRoleHasNoCredentials() {
        #expect(Self.instance(token: nil).find().error?.kind == .missing)
        #expect(Self.instance(token: (403, "")).find().reason == "instance metadata: it returned no token (HTTP 403)")
        #expect(Self.instance(roles: (404, "")).find().reason == "instance metadata: the instance has no role")
        #expect(Self.instance(roles: (200, "")).find().error?.kind == .missing)
    }

    @Test func aRoleWithoutCredentialsIsAnError() {
        #expect(Self.instance(roles: (500, "")).find().error?.kind == .unavailable)
        #expect(Self.instance(credentials: (500, "")).find().error?.kind == .unavailable)
        let failed = Self.instance(credentials: (200, #"{"Code": "AssumeRoleUnauthorizedAccess"}"#)).find()
        #expect(failed.reason == "instance metadata: it answered with the code AssumeRoleUnauthorizedAccess")
    }

    // MARK: Real endpoints

    @Sendable private static func fetch(
        _ request: AWSSystem.MetadataRequest
    ) throws -> AWSSystem.MetadataResponse {
        let response = try HTTPClient.sendAndWait(
            request.method, request.url, headers: request.headers.map { ($0.name, $0.value) })
        return AWSSystem.MetadataResponse(status: response.status, body: response.body)
    }

    private func find(_ environment: [String: String]) async throws -> AWSCredentials {
        let environment = environment.merging(["HOME": "/nowhere"]) { $1 }
        return try await onDedicatedThread(name: "caller") {
            try AWSCredentialChain(AWSSystem(environment: environment, fetch: Self.fetch)).credentials()
        }
    }

    @Test func readsCredentialsOfAContainerOverTheNetwork() async throws {
        let scratch = try Scratch()
        let token = try scratch.write("pod-token", to: "token")
        let server = try StubServer { request, _ in
            request.path == "/v1/credentials" && request.headers["authorization"] == "pod-token"
                ? HTTPResponse(200, #"{"AccessKeyId": "K", "SecretAccessKey": "S", "Token": "T"}"#)
                : HTTPResponse(401)
        }
        scratch.onCleanup { server.stop() }
        let environment = [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token,
        ]
        #expect(try await find(environment).accessKeyID == "K")
        try scratch.write("another", to: "token")
        await #expect(throws: AWSCredentialsError.self) { try await find(environment) }
        #expect(server.requests.count == 2)
    }
}
