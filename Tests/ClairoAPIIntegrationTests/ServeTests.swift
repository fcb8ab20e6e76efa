internal import ClairoCore
internal import ClairoTestSupport
internal import Foundation
internal import Testing

/// `clairo serve` as users run it, with SQLite and a folder.
@Suite(.mostlyWaits) struct ServeTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func start(
        _ arguments: String..., environment: [String: String] = [:], deadline: Duration = .seconds(600)
    ) async throws -> (ChildProcess, String) {
        let process = try ClairoProcess.start(
            ["serve", "--listen", "127.0.0.1:0"] + arguments, in: scratch.path,
            environment: ["CLAIRO_HOME": scratch.path("home")].merging(environment) { $1 }, deadline: deadline)
        scratch.onCleanup { process.send(SIGKILL) }
        let line = try #require(await process.line(on: .messages) { $0.hasPrefix("Listening on ") })
        return (process, String(line.dropFirst("Listening on ".count)))
    }

    private func curl(_ arguments: String...) async throws -> Answer {
        let outcome = try await ChildProcess("curl", ["-sS", "-i"] + arguments).outcome()
        return try #require(Answer(outcome.output), "\(outcome)")
    }

    @Test func anUploadAppearsInStatusUntilItIsDeleted() async throws {
        let (server, url) = try await start()
        let film = try await Clip(seconds: 1).make()
        let answer = try await curl("-F", "file=@\(film.path)", "\(url)/v1/videos")
        #expect(answer.status == 201, "\(answer)")
        let id = try #require(answer.headers["clairo-video-id"])
        let home = ["CLAIRO_HOME": scratch.path("home")]
        let status = try await ClairoProcess.run(arguments: ["status", id, "--json"], environment: home)
        #expect(status.status == 0, "\(status)")
        #expect(status.text.contains(id))
        #expect(try await curl("\(url)/v1/videos?limit=1").text.contains(id))
        #expect(try await curl("-X", "DELETE", "\(url)/v1/videos/\(id)").status == 202)
        #expect(try await curl("\(url)/v1/videos/\(id)").text.contains("deleting"))
        let gc = try await ClairoProcess.run(arguments: ["gc"], environment: home)
        #expect(gc.status == 0 && gc.text.contains("1 deleted videos"), "\(gc)")
        #expect(try await curl("\(url)/v1/videos/\(id)").status == 404)
        server.send(SIGTERM)
        #expect(try await server.outcome().status == 0)
    }

    @Test func aResumableUploadSurvivesAKilledServer() async throws {
        var (server, url) = try await start()
        let film = try await paddedClip(20 << 20, in: scratch)
        let bytes = try Data(contentsOf: film)
        let tus = ["-H", "Tus-Resumable: 1.0.0"]
        let created = try await ChildProcess(
            "curl", ["-sS", "-i", "-X", "POST", "-H", "Upload-Length: \(bytes.count)", "\(url)/v1/uploads/tus"] + tus
        ).outcome()
        let path = try #require(Answer(created.output)?.headers["location"])
        func send(_ data: Data, at offset: Int) async throws -> Answer {
            let piece = scratch.url("piece-\(offset)")
            try data.write(to: piece)
            let outcome = try await ChildProcess(
                "curl",
                ["-sS", "-i", "-X", "PATCH", "--data-binary", "@\(piece.path)", "-H", "Upload-Offset: \(offset)"] + [
                    "-H", "Content-Type: application/offset+octet-stream", url + path,
                ] + tus
            ).outcome()
            return try #require(Answer(outcome.output), "\(outcome)")
        }
        #expect(try await send(bytes.prefix(9_000_000), at: 0).status == 204)
        server.send(SIGKILL)
        _ = try await server.outcome()
        (server, url) = try await start()
        let last = try await send(bytes.dropFirst(9_000_000), at: 9_000_000)
        #expect(last.status == 204, "\(last)")
        let id = try #require(last.headers["clairo-video-id"])
        let shown = try await curl("\(url)/v1/videos/\(id)")
        #expect(try shown.json["sha256"] as? String == Checksum.sha256(bytes))
        server.send(SIGINT)
        #expect(try await server.outcome().status == 0)
    }

    @Test func refusesToListenOnAllAddressesWithoutATokenFile() async throws {
        let outcome = try await ClairoProcess.run(
            arguments: ["serve", "--listen", "0.0.0.0:0"], environment: ["CLAIRO_HOME": scratch.path("home")])
        #expect(outcome.status == 78)
        #expect(outcome.errors.contains("--token-file"))
    }

    @Test func aHangingStoreDoesNotDelayShutdown() async throws {
        let hanging = try RawServer { $0.waitForStop() }
        scratch.onCleanup { hanging.stop() }
        let (server, url) = try await start(
            "--raw-store", "s3://bucket/raw", "--shutdown-seconds", "0.2",
            environment: S3Server.environment(endpoint: hanging.url))
        let film = try await Clip(seconds: 1).make()
        let upload = try ChildProcess("curl", ["-sS", "-T", film.path, "\(url)/v1/videos/"])
        try await eventually { hanging.connections > 0 }
        server.send(SIGTERM)
        #expect(try await server.outcome().status == 0)
        _ = try await upload.outcome()
    }

    @Test func aSecondSignalStopsTheServerAtOnce() async throws {
        let hanging = try RawServer { $0.waitForStop() }
        scratch.onCleanup { hanging.stop() }
        let (server, url) = try await start(
            "--raw-store", "s3://bucket/raw", "--shutdown-seconds", "3600",
            environment: S3Server.environment(endpoint: hanging.url))
        let film = try await Clip(seconds: 1).make()
        let upload = try ChildProcess("curl", ["-sS", "-T", film.path, "\(url)/v1/videos/"])
        try await eventually { hanging.connections > 0 }
        server.send(SIGTERM)
        let port = try #require(url.split(separator: ":").last.flatMap { Int($0) })
        try await eventually { (try? RawConnection(port: port)) == nil }
        server.send(SIGINT)
        #expect(try await server.outcome().status == 130)
        _ = try await upload.outcome()
    }

    @Test func refusesToListenOnAnUnknownHost() async throws {
        let outcome = try await ClairoProcess.run(
            arguments: ["serve", "--listen", "nosuch.invalid:80", "--allow-anonymous"],
            environment: ["CLAIRO_HOME": scratch.path("home")])
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.errors.contains("Cannot listen on nosuch.invalid:80: unknown host\n"), "\(outcome)")
    }

    @Test(arguments: [
        ("--max-upload-size", "5497558138881"), ("--max-upload-size", "0"), ("--shutdown-seconds", "1e300"),
        ("--shutdown-seconds", "nan"), ("--rate", "1e-300"), ("--rate", "inf"), ("--max-uploads", "0"),
    ]) func anInvalidLimitIsRefused(_ option: String, _ value: String) async throws {
        let outcome = try await ClairoProcess.run(
            arguments: ["serve", option, value], environment: ["CLAIRO_HOME": scratch.path("home")])
        #expect(outcome.status == 64, "\(outcome)")
        #expect(outcome.errors.contains(option), "\(outcome)")
    }

    @Test(arguments: [("--allow-origin", "app.example"), ("--public-url", "example.org")])
    func aWrongOriginOrURLIsRefusedByItsName(_ option: String, _ value: String) async throws {
        let home = ["CLAIRO_HOME": scratch.path("home")]
        let flag = try await ClairoProcess.run(arguments: ["serve", option, value], environment: home)
        #expect(flag.status == 64, "\(flag)")
        #expect(flag.errors.contains("\(option): \(value) is not"), "\(flag)")
        let name = "CLAIRO_" + option.dropFirst(2).uppercased().replacing("-", with: "_")
        let variable = try await ClairoProcess.run(
            arguments: ["serve"], environment: home.merging([name: value]) { $1 })
        #expect(variable.status == 78, "\(variable)")
        #expect(variable.errors.contains("\(name): \(value) is not"), "\(variable)")
    }

    @Test func pagesOfAnAllowedOriginMayUpload() async throws {
        let (server, url) = try await start("--allow-origin", "https://app.example")
        let answer = try await curl(
            "-X", "OPTIONS", "-H", "Origin: https://app.example", "-H", "Access-Control-Request-Method: POST",
            "\(url)/v1/uploads/tus")
        #expect(answer.status == 204)
        #expect(answer.headers["access-control-allow-origin"] == "https://app.example")
        server.send(SIGTERM)
        #expect(try await server.outcome().status == 0)
    }

    /// The meaning of our replies that schemathesis cannot know.
    private static let expectations = """
        [checks]
        # tus requires 412, and a body or size over the limit requires 413.
        negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "409", "411", "412", "413", "415", "422"]
        missing_required_header.expected-statuses = ["400", "401", "412"]
        # It sends data that is not a video, and a folder supports no direct uploads.
        positive_data_acceptance.expected-statuses = ["2xx", "401", "404", "409", "413", "422", "501"]
        not_a_server_error.expected-statuses = ["2xx", "4xx", "501"]

        # It cannot send application/offset+octet-stream.
        [[operations]]
        include-operation-id = "tusPatch"
        enabled = false

        # It puts control characters into the headers of form fields.
        [[operations]]
        include-operation-id = "uploadVideo"
        checks.positive_data_acceptance.enabled = false

        # It sends both a length and a deferred length, and expects unknown headers to be an error.
        [[operations]]
        include-operation-id = "tusCreate"
        checks.positive_data_acceptance.enabled = false
        checks.negative_data_rejection.enabled = false
        """

    @Test(.enabled(if: ServeTests.schemathesis != nil, "needs schemathesis from PyPI"), .tags(.long))
    func schemathesisFindsNoErrors() async throws {
        let tokens = try scratch.write("schemathesis: token-0123456789-abcdef\n", to: "tokens")
        let (server, url) = try await start("--rate", "100000", "--token-file", tokens, deadline: .seconds(3000))
        let configuration = try scratch.write(Self.expectations, to: "schemathesis.toml")
        let outcome = try await ChildProcess(
            try #require(Self.schemathesis),
            [
                "--config-file", configuration, "run", "\(url)/openapi.json", "--header",
                "Authorization: Bearer token-0123456789-abcdef", "--max-examples", "5", "--seed", "1", "--no-color",
                "--request-timeout", "300", "--suppress-health-check", "too_slow",
            ], in: scratch.path, deadline: .seconds(3000)
        ).outcome()
        #expect(outcome.status == 0, "\(outcome.text.suffix(6000))")
        server.send(SIGTERM)
        #expect(try await server.outcome().status == 0)
    }

    private static let schemathesis = TestTools.path(of: "schemathesis")
}
