internal import AWSSigning
internal import Foundation
internal import Testing

/// Examples that AWS publishes with their results.
struct SigV4VectorTests {
    // MARK: S3

    private static let s3 = SigV4Signer(
        credentials: AWSCredentials(
            accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1", service: "s3")
    private static let may = Date(timeIntervalSince1970: 1_369_353_600)
    private static let bucket = "examplebucket.s3.amazonaws.com"

    struct Example: CustomTestStringConvertible, Sendable {
        var name: String
        var request: AWSRequest
        var signature: String
        var testDescription: String { name }
    }

    /// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    static let s3Examples = [
        Example(
            name: "GET object",
            request: AWSRequest(
                method: "GET", host: bucket, path: "/test.txt", headers: [.init("Range", "bytes=0-9")]),
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Example(
            name: "PUT object",
            request: AWSRequest(
                method: "PUT", host: bucket, path: "/test$file.text",
                headers: [
                    .init("Date", "Fri, 24 May 2013 00:00:00 GMT"),
                    .init("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                payload: .init(Data("Welcome to Amazon S3.".utf8))),
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Example(
            name: "GET bucket lifecycle",
            request: AWSRequest(method: "GET", host: bucket, query: [.init("lifecycle")]),
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Example(
            name: "List objects",
            request: AWSRequest(
                method: "GET", host: bucket, query: [.init("prefix", "J"), .init("max-keys", "2")]),
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ]

    @Test(arguments: s3Examples) func signaturesOfS3RequestsMatchThePublishedOnes(_ example: Example) {
        let headers = Self.s3.sign(example.request, at: Self.may).headers
        #expect(headers.last?.name == "Authorization")
        #expect(headers.last?.value.hasSuffix("Signature=\(example.signature)") == true)
    }

    @Test func theAuthorizationHeaderNamesKeyScopeAndSignedHeaders() {
        let signed = Self.s3.sign(Self.s3Examples[0].request, at: Self.may)
        #expect(
            signed.headers.dropFirst() == [
                .init("Host", "examplebucket.s3.amazonaws.com"),
                .init("X-Amz-Date", "20130524T000000Z"),
                .init(
                    "X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                .init(
                    "Authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                        + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                        + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
            ])
    }

    @Test func signingASignedRequestAgainReplacesTheSignature() {
        let once = Self.s3.sign(Self.s3Examples[1].request, at: Self.may)
        let later = Self.s3.sign(once, at: Self.may + 60)
        #expect(later.headers.count == once.headers.count)
        #expect(later != once)
        #expect(Self.s3.sign(later, at: Self.may) == once)
    }

    /// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    @Test func aPresignedURLMatchesThePublishedOne() {
        let url = Self.s3.presign(
            AWSRequest(method: "GET", host: Self.bucket, path: "/test.txt"), at: Self.may, expiresIn: 86_400)
        #expect(
            url == "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
                + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    }

    // MARK: Other services

    private static let any = SigV4Signer(
        credentials: AWSCredentials(
            accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1", service: "service")
    private static let august = Date(timeIntervalSince1970: 1_440_938_160)

    private static func example(
        _ name: String, _ method: String = "GET", _ path: String = "/", query: [AWSRequest.QueryItem] = [],
        headers: [AWSRequest.Header] = [], body: String = "", signature: String
    ) -> Example {
        Example(
            name: name,
            request: AWSRequest(
                method: method, host: "example.amazonaws.com", path: path, query: query, headers: headers,
                payload: .init(Data(body.utf8))),
            signature: signature)
    }

    private static let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    private static let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

    /// The names are those of aws-sig-v4-test-suite.
    static let suite = [
        example("get-vanilla", signature: vanilla),
        example("get-relative", "GET", "/example/..", signature: vanilla),
        example("get-relative-relative", "GET", "/example1/example2/../..", signature: vanilla),
        example("get-slash", "GET", "//", signature: vanilla),
        example("get-slash-dot-slash", "GET", "/./", signature: vanilla),
        example(
            "get-slashes", "GET", "//example//",
            signature: "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        example(
            "get-slash-pointless-dot", "GET", "/./example",
            signature: "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        example(
            "get-unreserved", "GET", "/" + unreserved,
            signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        example(
            "get-vanilla-query-unreserved", query: [.init(unreserved, unreserved)],
            signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
        example(
            "get-vanilla-query-order-key-case", query: [.init("Param2", "value2"), .init("Param1", "value1")],
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        example(
            "get-vanilla-empty-query-key", query: [.init("Param1", "value1")],
            signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
        example(
            "get-header-value-trim", headers: [.init("My-Header1", " value1"), .init("My-Header2", " \"a   b   c\"")],
            signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
        example("post-vanilla", "POST", signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        example(
            "post-header-key-sort", "POST", headers: [.init("My-Header1", "value1")],
            signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
        example(
            "post-x-www-form-urlencoded", "POST",
            headers: [.init("Content-Type", "application/x-www-form-urlencoded")], body: "Param1=value1",
            signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ]

    @Test(arguments: suite) func signaturesForOtherServicesMatchThePublishedOnes(_ example: Example) {
        let headers = Self.any.sign(example.request, at: Self.august).headers
        #expect(headers.last?.value.hasSuffix("Signature=\(example.signature)") == true, "\(headers)")
    }

    // MARK: Secrets

    @Test func aDescriptionShowsNeitherSecretNorToken() {
        let credentials = AWSCredentials(
            accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "s3cr3t", sessionToken: "t0k3n")
        var dumped = ""
        dump(SigV4Signer(credentials: credentials, region: "r", service: "s"), to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), "\([credentials])", dumped] {
            #expect(text.contains("…MPLE"))
            #expect(!text.contains("s3cr3t") && !text.contains("t0k3n") && !text.contains("AKIA"))
        }
    }
}
