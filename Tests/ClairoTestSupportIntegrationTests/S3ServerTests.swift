internal import AWSSigning
internal import ClairoTestSupport
internal import Foundation
internal import Testing

@Suite(.mostlyWaits) struct S3ServerTests {
    private static let keys = ["plain", "a b/c+d=e&f%20.mp4", "Übergrößen/日本語.m4s", "q?uestion#hash"]

    @Test(.enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed: Scripts/test does it"), arguments: keys)
    func rcloneAcceptsSignedRequests(key: String) async throws {
        try await roundTrip(S3Server.shared(.rclone), key)
    }

    /// Keys may be any text, as in AWS. A folder of files cannot have empty or dotted components.
    @Test(
        .enabled(if: S3Server.isInstalled(.moto), "moto is not installed: Scripts/test does it"),
        arguments: keys + ["x//y/./z", "../up"])
    func motoAcceptsSignedRequests(key: String) async throws {
        try await roundTrip(S3Server.shared(.moto), key)
    }

    private func roundTrip(_ server: S3Server, _ key: String) async throws {
        let bucket = try await server.makeBucket()
        let body = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 * 7) })
        let path = "/\(bucket)/\(key)"
        #expect(try await server.send(AWSRequest(method: "PUT", host: "", path: path), body: body).status == 200)
        #expect(try await server.send(AWSRequest(method: "GET", host: "", path: path)).body == body)
        let list = try await server.send(
            AWSRequest(
                method: "GET", host: "", path: "/\(bucket)",
                query: [.init("list-type", "2"), .init("prefix", String(key.prefix(3))), .init("max-keys", "5")]))
        #expect(list.status == 200)
        #expect(list.text.components(separatedBy: "<Contents>").count == 2, "\(list.text)")

        let signer = SigV4Signer(credentials: S3Server.credentials, region: S3Server.region, service: "s3")
        let url = signer.presign(
            AWSRequest(method: "GET", scheme: "http", host: "127.0.0.1:\(server.port)", path: path), at: Date(),
            expiresIn: 3600)
        #expect(try await HTTPClient.send("GET", url).body == body)
    }

    @Test(.enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed: Scripts/test does it"))
    func rcloneRefusesAWrongSecret() async throws {
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        var signer = SigV4Signer(credentials: S3Server.credentials, region: S3Server.region, service: "s3")
        signer.credentials.secretAccessKey += "x"
        let request = signer.sign(
            AWSRequest(method: "GET", scheme: "http", host: "127.0.0.1:\(server.port)", path: "/\(bucket)"), at: Date())
        let headers = request.headers.map { (name: $0.name, value: $0.value) }
        #expect(try await HTTPClient.send("GET", request.url, headers: headers).status == 403)
    }

    @Test(
        .enabled(if: TestTools.path(of: "aws") != nil, "the aws client is not installed: Scripts/test does it"),
        .enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed: Scripts/test does it"))
    func theAWSClientWorksWithTheEnvironmentOfAServer() async throws {
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        let aws = try #require(TestTools.path(of: "aws"))
        let scratch = try Scratch()
        let file = try scratch.write("hello", to: "file")
        for arguments in [["cp", file, "s3://\(bucket)/a b"], ["ls", "s3://\(bucket)/"]] {
            let outcome = try await ChildProcess(aws, ["s3"] + arguments, environment: server.environment).outcome()
            #expect(outcome.status == 0, "\(outcome)")
            if arguments[0] == "ls" { #expect(outcome.text.hasSuffix(" 5 a b\n")) }
        }
    }
}
