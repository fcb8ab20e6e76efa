internal import ClairoCore
internal import Foundation
internal import HTTPTypes
internal import Testing

@testable internal import ClairoAPI

/// What browsers, proxies and careless clients send.
@Suite struct WebTests {
    private func request(
        _ method: HTTPRequest.Method = .get, _ path: String = "/", host: String? = "localhost",
        _ headers: [(String, String)] = []
    ) throws -> HTTPRequest {
        var request = HTTPRequest(method: method, scheme: "http", authority: host, path: path)
        for (name, value) in headers {
            request.headerFields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value))
        }
        return request
    }

    // MARK: Origins

    @Test(arguments: [
        ("https://app.example", "https://app.example", true), ("https://app.example", "https://APP.example", true),
        ("HTTPS://App.Example", "https://app.example", true), ("https://app.example", "http://app.example", false),
        ("https://app.example", "https://app.example:8443", false),
        ("https://app.example", "https://app.example.evil.example", false),
        ("https://app.example", "https://sub.app.example", false), ("https://app.example", "null", false),
        ("https://app.example:443", "https://app.example", true), ("http://a:80/", "http://a", true),
        (" https://a.example , http://localhost:5173", "http://localhost:5173", true),
        ("http://[::1]:5173", "http://[::1]:5173", true), ("capacitor://localhost", "capacitor://localhost", true),
        ("*", "https://any.example", true), ("*", "null", true), ("", "https://app.example", false),
    ])
    func anOriginIsAllowedIfTheListNamesIt(list: String, origin: String, isAllowed: Bool) throws {
        #expect(try AllowedOrigins(list).contains(origin) == isAllowed)
    }

    @Test(arguments: [
        "app.example", "https://", "https://app.example/path", "https://user@app.example", "https://app.example:x",
        "https://app.example:0", "https://app.example:65536", "https://*.example", "https://a b.example", "null",
        "https://ä.example", "https://app.example?x", "https://[::1", "https://app.example,nothing", "//app.example",
    ])
    func aListWithSomethingElseThanOriginsIsAUsageError(list: String) {
        let error = #expect(throws: ClairoError.self) { _ = try AllowedOrigins(list) }
        #expect(error?.exitCode == .usage)
    }

    @Test func withoutAllowedOriginsThereAreNoHeaders() throws {
        let headers = CrossOriginHeaders(allowed: AllowedOrigins())
        let preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")]
        #expect(headers.headers(for: try request(.options, "/v1/videos", preflight)).isEmpty)
        #expect(headers.headers(for: try request(.get, "/v1/videos", [("Origin", "https://app.example")])).isEmpty)
    }

    @Test func aPreflightRequestLearnsMethodsAndHeaders() throws {
        let headers = CrossOriginHeaders(allowed: try AllowedOrigins("https://app.example")).headers(
            for: try request(
                .options, "/v1/uploads/tus",
                [
                    ("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST"),
                    ("Access-Control-Request-Headers", "authorization,tus-resumable,upload-length"),
                ]))
        #expect(headers[.accessControlAllowOrigin] == "https://app.example")
        #expect(headers[.vary] == "Origin")
        #expect(headers[.accessControlMaxAge] == "7200")
        let methods = headers[.accessControlAllowMethods] ?? ""
        for method in ["DELETE", "HEAD", "PATCH", "POST"] { #expect(methods.contains(method)) }
        let names = Set((headers[.accessControlAllowHeaders] ?? "").lowercased().components(separatedBy: ", "))
        // What tus-js-client and Uppy send.
        #expect(
            names.isSuperset(of: [
                "authorization", "content-type", "tus-resumable", "upload-length", "upload-metadata", "upload-offset",
                "upload-defer-length", "upload-concat", "x-http-method-override", "x-request-id",
            ]))
        #expect(headers[.accessControlAllowCredentials] == nil)
    }

    @Test(arguments: [HTTPRequest.Method.get, .post, .head, .patch, .options])
    func otherRequestsLearnWhichResponseHeadersScriptsMayRead(method: HTTPRequest.Method) throws {
        let headers = CrossOriginHeaders(allowed: try AllowedOrigins("https://app.example")).headers(
            for: try request(method, "/v1/uploads/tus", [("Origin", "https://app.example")]))
        #expect(headers[.accessControlAllowOrigin] == "https://app.example")
        let names = Set((headers[.accessControlExposeHeaders] ?? "").components(separatedBy: ", "))
        #expect(
            names.isSuperset(of: [
                "Location", "Upload-Offset", "Upload-Length", "Upload-Expires", "Tus-Resumable", "Retry-After",
                "Clairo-Video-ID",
            ]))
        #expect(headers[.accessControlAllowMethods] == nil)
    }

    @Test func cachesKeepResponsesToDifferentOriginsApart() throws {
        let some = CrossOriginHeaders(allowed: try AllowedOrigins("https://app.example"))
        #expect(some.headers(for: try request()) == [.vary: "Origin"])
        #expect(some.headers(for: try request(.get, "/", [("Origin", "https://evil.example")])) == [.vary: "Origin"])
        let all = CrossOriginHeaders(allowed: try AllowedOrigins("*"))
        #expect(all.headers(for: try request()).isEmpty)
        #expect(
            all.headers(for: try request(.get, "/", [("Origin", "https://a.example")]))[.accessControlAllowOrigin]
                == "*")
    }

    // MARK: Names of resources

    @Test(arguments: [
        ("/v1/uploads/tus", "/v1/uploads/tus/7", "tus/7"), ("/v1/uploads/tus/", "/v1/uploads/tus/7", "7"),
        ("/v1/videos", "/v1/videos/7", "videos/7"), ("/v1/videos?title=a/b", "/v1/videos/7", "videos/7"),
        ("/v1/videos/film.mov", "/v1/videos/7", "7"), ("/v1/uploads", "/v1/uploads/7", "uploads/7"),
        ("/v1/uploads/7/complete", "/v1/videos/8", "../../videos/8"),
    ])
    func behindAProxyNamesAreRelativeToTheRequest(path: String, resource: String, expected: String) throws {
        for header in ["X-Forwarded-For", "X-Forwarded-Prefix", "Forwarded", "Via", "X-Real-IP"] {
            let request = try request(.post, path, [(header, "evil")])
            #expect(ResourceReference(publicURL: nil).text(resource, for: request) == expected)
        }
        for prefix in ["", "/media", "/a/b"] {
            let base = try #require(URL(string: "https://example.org\(prefix)\(path)"))
            #expect(URL(string: expected, relativeTo: base)?.absoluteURL.path == prefix + resource)
        }
    }

    @Test func withoutAProxyNamesAreAbsolutePaths() throws {
        let name = ResourceReference(publicURL: nil).text("/v1/videos/7", for: try request(.post, "/v1/videos"))
        #expect(name == "/v1/videos/7")
    }

    @Test(arguments: [
        ("https://example.org", "https://example.org/v1/videos/7"),
        ("https://Example.org:443/media/", "https://example.org/media/v1/videos/7"),
        ("http://10.0.0.1:8080/a/b", "http://10.0.0.1:8080/a/b/v1/videos/7"),
    ])
    func withAPublicURLNamesAreAbsoluteURLs(url: String, expected: String) throws {
        let reference = ResourceReference(publicURL: try PublicURL(url))
        #expect(reference.text("/v1/videos/7", for: try request(.post, "/v1/videos")) == expected)
        #expect(reference.text("/v1/videos/7", for: try request(.post, "/v1/videos", [("Via", "1.1 a")])) == expected)
    }

    @Test(arguments: ["example.org", "ftp://example.org", "https://", "https://a?x=1", "https://a/#b", "https://u:p@a"])
    func anInvalidPublicURLIsAUsageErrorWithoutItsPassword(url: String) {
        let error = #expect(throws: ClairoError.self) { _ = try PublicURL(url) }
        #expect(error?.exitCode == .usage)
        #expect(error?.description.contains("u:p@") == false)
    }

    // MARK: Hosts

    @Test func aRequestNamesExactlyOneHost() throws {
        #expect(try request(host: "Example.org:8080").checkedAuthority() == "example.org:8080")
        #expect(try request(host: "[::1]:80").checkedAuthority() == "[::1]:80")
        #expect(try request(host: "").checkedAuthority() == "")
        // The codec marks requests of HTTP/1.0, which need no host.
        #expect(try request(host: nil, [("Clairo-HTTP-Version", "1.0")]).checkedAuthority() == "")
        let refused = [
            try request(host: nil), try request(host: "a", [("Host", "a")]), try request(host: "a b"),
            try request(host: "a/b"), try request(host: "user@a"),
        ]
        for request in refused {
            let error = #expect(throws: APIError.self) { try request.checkedAuthority() }
            #expect(error?.status == .badRequest)
        }
    }

    // MARK: Queries

    @Test(
        arguments: [
            ("title=My+Summer", "My Summer"), ("title=My%20Summer", "My Summer"), ("title=1%2B1", "1+1"),
            ("title=F%C3%BC%C3%9Fe", "Füße"), ("title=a=b", "a=b"), ("title=", ""), ("title", ""), ("x=1&title=2", "2"),
            ("title=1&title=2", "1"), ("ti%74le=1", "1"), ("title=100%", "100%"), ("title=%zz%4", "%zz%4"),
            ("title=%+1", "% 1"), ("title=%FF", "\u{FFFD}"), ("other=1", nil), ("", nil), ("&&=&title=1", "1"),
        ] as [(String, String?)])
    func aQueryIsDecodedAsFormsEncodeIt(query: String, title: String?) {
        #expect(QueryString(query)["title"] == title)
    }
}
