internal import AWSSigning
internal import Foundation
internal import Synchronization
internal import Testing

/// The shared files: keys and settings.
struct ProfileTests {
    private static let config = "/home/me/.aws/config"
    private static let keys = "/home/me/.aws/credentials"

    private static func fake(
        config: String = "", keys: String = "", _ environment: [String: String] = [:]
    ) -> FakeSystem {
        FakeSystem { contents in
            contents.files = [Self.config: config, Self.keys: keys]
            contents.environment.merge(environment) { $1 }
            contents.environment["AWS_EC2_METADATA_DISABLED"] = "true"
        }
    }

    @Test func readsFilesWithCommentsSpacesAndAnyLineEndings() throws {
        let fake = Self.fake(
            config: "\u{FEFF}# mine\r\n[profile  my work]\r\nregion=eu-west-3  ; Paris\r\n",
            keys: """
                ; keys
                  [ my work ]   # at work
                    AWS_Access_Key_ID=AKIA#1
                \taws_secret_access_key   =   a/b+c==  # not for you

                    aws_session_token = t=1
                [empty]
                """)
        let found = try fake.find(profile: "my work").get()
        #expect(found.accessKeyID == "AKIA#1")
        #expect(found.secretAccessKey == "a/b+c==")
        #expect(found.sessionToken == "t=1")
        #expect(try AWSSettings(fake.system, profile: "my work").region == "eu-west-3")
    }

    @Test func theFilesCanBeRelocated() {
        let pair = "[default]\naws_access_key_id=X\naws_secret_access_key=Y"
        let fake = FakeSystem { contents in
            contents.files = ["/etc/keys": pair, "/home/me/config": "[default]\nregion = eu-north-1"]
            contents.environment["AWS_SHARED_CREDENTIALS_FILE"] = "/etc/keys"
            contents.environment["AWS_CONFIG_FILE"] = "~/config"
        }
        #expect(fake.find().key == "X")
        #expect((try? AWSSettings(fake.system))?.region == "eu-north-1")
    }

    @Test func keysInTheCredentialsFilePrecedeAProcessAndConfigurationKeysComeLast() {
        let config = "[default]\naws_access_key_id=C\naws_secret_access_key=S\n"
        let keys = "[default]\naws_access_key_id=K\naws_secret_access_key=S\n"
        let process = "credential_process = /bin/keys --for \"me\"\n"
        func key(_ config: String, _ keys: String) -> String? {
            let fake = Self.fake(config: config, keys: keys)
            fake.contents.withLock {
                $0.commands["/bin/keys --for \"me\""] = """
                    {"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "S", "SessionToken": "T"}
                    """
            }
            return fake.find().key
        }
        #expect(key(config + process, keys) == "K")
        #expect(key(config + process, "") == "P")
        #expect(key(config, "") == "C")
        #expect(key("", "[default]\n" + process) == "P")
    }

    @Test(arguments: [
        (nil, "credential_process failed: no reply"), ("", "not a JSON document"),
        (#"{"AccessKeyId": "P", "SecretAccessKey": "S"}"#, "Version 1"),
        (#"{"Version": 1, "AccessKeyId": "P"}"#, "lacks AccessKeyId or SecretAccessKey"),
        (#"{"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "S", "Expiration": "soon"}"#, "ISO 8601"),
        (
            #"{"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "S", "Expiration": "2020-01-01T00:00:00+00:00"}"#,
            "have expired"
        ),
    ])
    func theErrorNamesAProcessWithoutUsableOutput(output: String?, reason: String) {
        let fake = Self.fake(config: "[default]\ncredential_process = keys")
        fake.contents.withLock { $0.commands["keys"] = output }
        #expect(fake.find().reason?.contains(reason) == true, "\(fake.find())")
    }

    @Test func aCredentialProcessRunsInTheShell() throws {
        var system = Self.fake(
            config: """
                [default]
                credential_process = printf '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "S"}' "a b"
                [profile broken]
                credential_process = echo SECRET; echo SECRET >&2; exit 3
                """
        ).system
        system.run = AWSSystem.output
        #expect(try AWSCredentialChain(system).credentials().accessKeyID == "a b")
        let error = #expect(throws: AWSCredentialsError.self) {
            try AWSCredentialChain(system, profile: "broken").credentials()
        }
        #expect(error?.description.contains("status 3") == true)
        #expect(error?.description.contains("SECRET") == false)
    }

    @Test func aProcessThatHangsIsKilled() {
        let error = #expect(throws: AWSConfigurationError.self) {
            try AWSSystem.output(ofCommand: "exec sleep 600", limit: .zero)
        }
        #expect(error?.description.contains("did not end within") == true)
    }

    @Test func aProcessThatRunsOnWithoutItsOutputIsKilled() {
        let error = #expect(throws: AWSConfigurationError.self) {
            try AWSSystem.output(ofCommand: "exec >&-; exec sleep 600", limit: .milliseconds(200))
        }
        #expect(error?.description.contains("did not end within") == true)
    }

    @Test func aProcessWithEndlessOutputIsKilled() {
        let error = #expect(throws: AWSConfigurationError.self) {
            try AWSSystem.output(ofCommand: "exec yes", limit: .seconds(600))
        }
        #expect(error?.description.contains("printed more than") == true)
    }

    @Test func aNamedProfileMustExist() throws {
        let fake = Self.fake(config: "[work]\nregion = x", keys: "[profile home]\n")
        // Each file has its own syntax for a section's name.
        for name in ["work", "home"] {
            let error = try #require(fake.find(profile: name).error)
            #expect(error.kind == .invalid)
            #expect(error.description.contains("profile \(name): not found in "))
        }
    }

    @Test(arguments: [
        ("aws_access_key_id = A", "no aws_secret_access_key"),
        ("aws_secret_access_key = S3CR3T", "no aws_access_key_id"),
        ("role_arn = r\nsource_profile = default", "assuming a role is not supported"),
        ("sso_session = s", "SSO is not supported"),
        ("web_identity_token_file = f", "a web identity is not supported"),
    ])
    func anUnusableProfileEndsTheSearch(lines: String, reason: String) throws {
        let fake = Self.fake(config: "[default]\n\(lines)")
        let error = try #require(fake.find().error)
        #expect(error.kind == .invalid)
        #expect(error.description.contains(reason))
        #expect(!error.description.contains("S3CR3T"))
    }

    @Test(arguments: [
        ("[default]\nregion = x\nS3CR3T", "\(config), line 3, is neither"),
        ("region = x", "\(config), line 1, is neither"),
        ("unreadable", "\(config) cannot be read"),
    ])
    func theErrorNamesAnUnreadableFile(text: String, reason: String) throws {
        let error = try #require(Self.fake(config: text).find().error)
        #expect(error.kind == .invalid)
        #expect(error.description.contains(reason))
        #expect(!error.description.contains("S3CR3T"))
    }

    @Test func theSearchContinuesAfterAProfileWithoutKeys() {
        let fake = Self.fake(config: "[default]\nregion = x")
        #expect(fake.find().error?.kind == .missing)
        #expect(fake.find().error?.attempts.count == 4)
    }

    // MARK: Settings

    private static let settings = """
        [default]
        region = eu-west-1
        [profile local]
        region = eu-central-1
        ca_bundle = ~/ca.pem
        max_attempts = 5
        response_checksum_validation = when_required
        endpoint_url = http://all
        services = here
        s3 =
            addressing_style = path
            max_concurrent_requests = 20

        output = json
        [services here]
        s3 =
          endpoint_url = http://s3-here
        ecs =
          endpoint_url = http://ecs-here
        """

    @Test func readsSettingsFromTheProfile() throws {
        let settings = try AWSSettings(Self.fake(config: Self.settings, ["AWS_PROFILE": "local"]).system)
        #expect(settings.profile == "local")
        #expect(settings.region == "eu-central-1")
        #expect(settings.s3AddressingStyle == .path)
        #expect(settings.caBundle == "/home/me/ca.pem")
        #expect(settings.maxAttempts == 5)
        #expect(settings.requestChecksums == .whenSupported && settings.responseChecksums == .whenRequired)
        #expect(settings.endpointURL(of: "s3") == "http://s3-here")
        #expect(settings.endpointURL(of: "ecs") == "http://ecs-here")
        #expect(settings.endpointURL(of: "sts") == "http://all")
        #expect(try AWSSettings(Self.fake(config: Self.settings).system).region == "eu-west-1")
        #expect(try AWSSettings(FakeSystem().system).region == nil)
    }

    @Test func theEnvironmentTakesPrecedenceOverTheProfile() throws {
        var environment = ["AWS_PROFILE": "local", "AWS_DEFAULT_REGION": "b", "AWS_ENDPOINT_URL": "http://environment"]
        func settings() throws -> AWSSettings {
            try AWSSettings(Self.fake(config: Self.settings, environment).system)
        }
        #expect(try settings().region == "b")
        #expect(try settings().endpointURL(of: "s3") == "http://environment")
        environment["AWS_REGION"] = "a"
        environment["AWS_ENDPOINT_URL_S3"] = "http://s3"
        environment["AWS_MAX_ATTEMPTS"] = "2"
        environment["AWS_CA_BUNDLE"] = "/ca"
        #expect(try settings().region == "a")
        #expect(try settings().endpointURL(of: "s3") == "http://s3")
        #expect(try settings().endpointURL(of: "ecs") == "http://environment")
        #expect(try settings().maxAttempts == 2)
        #expect(try settings().caBundle == "/ca")
        environment["AWS_REQUEST_CHECKSUM_CALCULATION"] = "WHEN_REQUIRED"
        environment["AWS_RESPONSE_CHECKSUM_VALIDATION"] = "when_supported"
        #expect(try settings().requestChecksums == .whenRequired)
        #expect(try settings().responseChecksums == .whenSupported)
        environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
        #expect(try settings().endpointURL(of: "s3") == nil)
    }

    @Test(arguments: [
        "[default]\ns3 =\n  addressing_style = sideways", "[default]\nmax_attempts = many",
        "[default]\nrequest_checksum_calculation = always",
    ])
    func anInvalidSettingIsRefused(text: String) {
        #expect(throws: AWSConfigurationError.self) { try AWSSettings(Self.fake(config: text).system) }
    }
}
