internal import AWSSigning
internal import ClairoTestSupport
internal import Foundation
internal import Testing

/// The same requests, signed by Clairo and by botocore, AWS's own library for Python.
@Suite(.mostlyWaits) struct SigV4BotocoreTests {
    /// The input of both sides. Python gets it as JSON.
    struct Case: Codable, Sendable {
        var service = "s3"
        var region = "eu-central-1"
        var method = "GET"
        var host = "bucket.s3.eu-central-1.amazonaws.com"
        var path = "/"
        var query: [[String]] = []
        var headers: [[String]] = []
        var body: String?
        var token: String?
        var presign = false
        /// As sent.
        var url = ""
    }

    private static let paths = [
        "/", "/plain", "/a b", "/a+b", "/a=b", "/a&b;c,d", "/100%", "/%2e%2e/%2F", "/a//b", "//", "/a/./b/../c",
        "/trailing/", "/(x)'!*$@:~", "/Übergrößen/日本語.m4s", "/🎬", "/\"<>\\^`{|}[]", "/line\nfeed\ttab",
        "/e\u{301}", "/" + String(repeating: "k", count: 1000),
    ]
    private static let queries: [[[String]]] = [
        [["uploads", ""]], [["b", "2"], ["a", "1"], ["B", "3"], ["a", "0"]], [["prefix", "a b/c+d=e&f?g#h"]],
        [["ключ", "значение"], ["~", "-._"]], [["partNumber", "10"], ["uploadId", "x/y+z=="], ["partNumber", "9"]],
        [["a-b", ""], ["a", ""], ["a=b", "="]],
    ]
    private static let headers: [[[String]]] = [
        [["Range", "bytes=0-9"], ["If-None-Match", "*"]],
        [["X-Amz-Meta-A", "  two   spaces  and\ttab "], ["x-amz-meta-a", "again"], ["X-AMZ-META-A", "third"]],
        [["Content-Type", "video/mp4; codecs=\"avc1\""], ["Content-Length", "12"], ["x-amz-meta-empty", ""]],
        [["User-Agent", "Clairo"], ["Expect", "100-continue"], ["Connection", "close"], ["X-Amz-Z", "signed"]],
    ]

    private static var cases: [Case] {
        var cases: [Case] = []
        for service in ["s3", "ecs"] {
            for presign in [false, true] {
                let base = Case(
                    service: service, host: service == "s3" ? "127.0.0.1:9000" : "ecs.eu-west-1.amazonaws.com",
                    presign: presign)
                for path in paths {
                    var item = base
                    item.path = path
                    cases.append(item)
                }
                // botocore presigns only the first of several parameters with one name, and moves a body into the
                // query.
                for query in queries where !presign || Set(query.map { $0[0] }).count == query.count {
                    var item = base
                    item.query = query
                    item.token = "IQoJb3JpZ2luX2VjE+/=="
                    cases.append(item)
                }
                for headers in headers {
                    var item = base
                    item.headers = headers
                    item.method = "PUT"
                    item.path = "/bucket/key"
                    cases.append(item)
                }
                if presign { continue }
                var item = base
                item.method = "POST"
                item.body = "{\"cluster\":\"défaut\"}"
                item.headers = [["X-Amz-Target", "AmazonEC2ContainerServiceV20141113.RunTask"]]
                cases.append(item)
            }
        }
        return cases
    }

    private static let credentials = AWSCredentials(
        accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    /// 2026-02-03 04:05:06 UTC.
    private static let date = Date(timeIntervalSince1970: 1_770_091_506)

    /// Clairo's Authorization header or URL, and the case with the URL filled in.
    private static func sign(_ item: inout Case) -> String {
        let request = AWSRequest(
            method: item.method, host: item.host, path: item.path, query: item.query.map { .init($0[0], $0[1]) },
            headers: item.headers.map { .init($0[0], $0[1]) }, payload: .init(Data((item.body ?? "").utf8)))
        item.url = request.url
        var credentials = credentials
        credentials.sessionToken = item.token
        let signer = SigV4Signer(credentials: credentials, region: item.region, service: item.service)
        if item.presign { return signer.presign(request, at: date, expiresIn: 900) }
        return signer.sign(request, at: date).headers.last?.value ?? ""
    }

    @Test func everySignatureMatchesBotocores() async throws {
        guard let python = await TestTools.python(with: "botocore.auth") else {
            print("skipped: no python3 can import botocore; Scripts/test installs one")
            return
        }
        var cases = Self.cases
        let ours = cases.indices.map { Self.sign(&cases[$0]) }
        let scratch = try Scratch()
        let script = try scratch.write(Self.script, to: "sign.py")
        try JSONEncoder().encode(cases).write(to: scratch.url("cases.json"))
        let outcome = try await ChildProcess(python, [script, scratch.path("cases.json")]).outcome()
        try #require(outcome.status == 0, "\(outcome)")
        let theirs = try JSONDecoder().decode([String].self, from: outcome.output)
        try #require(theirs.count == cases.count)
        for (index, item) in cases.enumerated() {
            if item.presign {
                // botocore does not sort the parameters that it sends, so only the signatures are compared.
                #expect(Set(ours[index].split { "?&".contains($0) }) == Set(theirs[index].split { "?&".contains($0) }))
            } else {
                #expect(ours[index] == theirs[index], "\(item)")
            }
        }
    }

    private static let script = """
        import datetime, json, sys
        import botocore.auth, botocore.awsrequest, botocore.credentials
        now = datetime.datetime(2026, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: now.replace(tzinfo=None) if remove_tzinfo else now
        answers = []
        for case in json.load(open(sys.argv[1])):
            keys = botocore.credentials.Credentials(
                "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", case.get("token"))
            request = botocore.awsrequest.AWSRequest(
                method=case["method"], url=case["url"], data=(case.get("body") or "").encode())
            for name, value in case["headers"]:
                request.headers.add_header(name, value)
            s3 = case["service"] == "s3"
            if case["presign"]:
                kind = botocore.auth.S3SigV4QueryAuth if s3 else botocore.auth.SigV4QueryAuth
                kind(keys, case["service"], case["region"], expires=900).add_auth(request)
                answers.append(request.url)
            else:
                kind = botocore.auth.S3SigV4Auth if s3 else botocore.auth.SigV4Auth
                kind(keys, case["service"], case["region"]).add_auth(request)
                answers.append(request.headers["Authorization"])
        json.dump(answers, sys.stdout)
        """
}
