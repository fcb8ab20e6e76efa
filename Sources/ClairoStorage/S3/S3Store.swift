internal import AWSClient
internal import AWSSigning
public import ClairoCore
public import Curl
public import Foundation

/// A store in a bucket of S3, or of a server with its API.
///
/// Every request is signed with the SHA-256 of its body, even over TLS, so the server rejects a damaged body. An object
/// larger than one part is sent in parts, several at a time, and becomes visible when it is complete. `putIfAbsent`
/// needs a server that supports `If-None-Match: *`, as AWS, MinIO and Ceph do. If a server ignores the header, two
/// concurrent writers may both succeed.
///
/// Credentials, region, endpoint and addressing style come from the same settings as in AWS's own tools; see
/// `AWSSettings`.
public struct S3Store: DurableStore {
    let transport: S3Transport
    let prefix: String

    /// Creates the store. Makes no requests yet.
    /// - Parameters:
    ///   - url: `s3://bucket` or `s3://bucket/prefix`.
    ///   - environment: The environment variables, which provide settings and proxies.
    ///   - cancellation: Cancels running and later calls.
    /// - Throws: `configuration` (78) if a setting is invalid.
    public init(
        url: String, environment: [String: String] = ProcessInfo.processInfo.environment,
        options: S3Options = S3Options(),
        cancellation: Cancellation? = nil
    ) throws(ClairoError) {
        let address = try S3Address(url)
        var system = AWSSystem.here(environment, cancellation: cancellation)
        system.credentials = options.credentials
        let client = try AWSClient(
            .s3, system, maxAttempts: options.maxAttempts,
            defaultAttempts: 5, firstDelay: options.firstDelay
        ) { (settings, region) throws(ClairoError) in
            try AWSEndpoint(
                bucket: address.bucket, region: region, url: settings.endpointURL(of: "s3"),
                style: settings.s3AddressingStyle)
        }
        prefix = address.prefix
        transport = S3Transport(
            bucket: address.bucket, client: client, options: options, cancellation: cancellation)
    }

    // MARK: Names

    func path(_ key: ObjectKey) -> String { prefix + key.rawValue }

    public func location(of key: ObjectKey) -> ObjectLocation {
        let path = path(key)
        return ObjectLocation(
            bucket: transport.bucket, key: path, url: "s3://\(transport.bucket)/\(PercentEncoding.path(path))")
    }

    /// `s3://bucket/key`, for display.
    func name(_ key: ObjectKey) -> String { "s3://\(transport.bucket)/\(path(key))" }

    /// Sends a request. Errors are prefixed with `doing`.
    func send(_ request: S3Request, _ doing: @autoclosure () -> String) throws(ClairoError) -> HTTPReply {
        do {
            return try transport.send(request)
        } catch {
            throw error.error(doing(), transport)
        }
    }

    func document(_ request: S3Request, _ doing: @autoclosure () -> String) throws(ClairoError) -> S3Document {
        try document(try send(request, doing()), doing())
    }

    func document(_ reply: HTTPReply, _ doing: @autoclosure () -> String) throws(ClairoError) -> S3Document {
        guard let document = S3Document.parse(reply.body) else {
            throw .refused(
                "\(doing()): the reply of \(transport.client.endpoint) is not that of an S3 server",
                exitCode: .configuration,
                advice: "Check that AWS_ENDPOINT_URL_S3 names an S3 server.")
        }
        return document
    }

    // MARK: Objects

    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        guard data.count <= 2 * transport.options.partSize else {
            let part = transport.options.partSize
            do {
                try put(at: key, length: Int64(data.count)) { write in
                    for start in stride(from: data.startIndex, to: data.endIndex, by: part) {
                        try write(data[start..<min(start + part, data.endIndex)])
                    }
                }
            } catch let error as ClairoError {
                throw error
            } catch {
                throw .inputOutput("Writing \(name(key)) failed: \(error)")
            }
            return
        }
        let stored = compressed(data, at: key)
        var request = putRequest(stored?.body ?? data, at: key)
        request.headers += stored?.headers ?? []
        _ = try send(request, "Writing \(name(key))")
    }

    private func putRequest(_ data: Data, at key: ObjectKey) -> S3Request {
        var request = S3Request("PUT", path(key))
        let sha256 = Checksum.sha256(data)
        request.headers = typeHeaders(of: key) + [Self.checksumHeader(sha256)]
        request.body = data
        request.sha256 = sha256
        return request
    }

    /// The headers that S3 stores and returns with an object, for players and caches.
    func typeHeaders(of key: ObjectKey) -> [AWSRequest.Header] {
        let type = ContentType(of: key)
        let cacheControl = transport.options.delivery?.cacheControl(of: type)
        return [.init("Content-Type", type.value)] + (cacheControl.map { [.init("Cache-Control", $0)] } ?? [])
    }

    /// S3 verifies this checksum, stores it and returns it with the object.
    static func checksumHeader(_ sha256: String) -> AWSRequest.Header {
        .init("x-amz-checksum-sha256", PartChecksum.base64(hex: sha256))
    }

    public func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool {
        // Checked first, because some servers ignore the header.
        if try info(of: key) != nil { return false }
        var request = putRequest(data, at: key)
        request.headers.append(.init("If-None-Match", "*"))
        request.isConditional = true
        do {
            _ = try transport.send(request)
            return true
        } catch {
            guard error.status == 412 else { throw error.error("Writing \(name(key))", transport) }
            // An earlier attempt may have written the object, and its reply was lost.
            guard error.mayHaveHappened, let info = try info(of: key) else { return false }
            return info.size == Int64(data.count) && info.etag == Checksum.md5(data)
        }
    }

    public func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        var request = S3Request("GET", path(key))
        request.headers = [.init("x-amz-checksum-mode", "ENABLED")]
        request.limit = .max
        let reply = try send(request, "Reading \(name(key))")
        if let checksum = Self.checksum(of: reply.headers), checksum != Checksum.sha256(reply.body) {
            throw .inputOutput("Reading \(name(key)): the bytes do not match their stored checksum")
        }
        return try decompressed(reply.body, of: key)
    }

    public func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource {
        guard let (info, isCompressed) = try stored(key) else {
            throw .noInput("\(name(key)) does not exist", advice: "Check the name.")
        }
        if isCompressed { return TextSource(text: try get(key), etag: info.etag) }
        let (path, name) = (path(key), name(key))
        return RangeSource(
            name: name, size: info.size, etag: info.etag, options: transport.options,
            presign: { (seconds) throws(ClairoError) in try presignedURL(for: .get(key), expiresIn: seconds) }
        ) { (range) throws(ClairoError) in
            try transport.range(range, of: path, name: name, size: info.size, etag: info.etag)
        }
    }

    public func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? {
        guard let stored = try stored(key) else { return nil }
        var info = stored.info
        if stored.isCompressed, info.size < 0 { info.size = Int64(try get(key).count) }
        return info
    }

    /// The information of an object. The size of a compressed object is negative if it is not recorded.
    private func stored(_ key: ObjectKey) throws(ClairoError) -> (info: ObjectInfo, isCompressed: Bool)? {
        var request = S3Request("HEAD", path(key))
        request.headers = [.init("x-amz-checksum-mode", "ENABLED")]
        let reply: HTTPReply
        do {
            reply = try transport.send(request)
        } catch {
            guard case .service = error.cause else { throw error.error("Checking \(name(key))", transport) }
            try explain(error, key)
            return nil
        }
        let headers = reply.headers
        guard let size = headers["Content-Length"].flatMap({ Int64($0) }), size >= 0 else {
            throw .temporary("Checking \(name(key)): the server does not report the object's size")
        }
        let modified = headers["Last-Modified"].flatMap(HTTPDate.date) ?? Date(timeIntervalSince1970: 0)
        var info = ObjectInfo(
            key: key, size: size, etag: Self.bare(headers["ETag"] ?? ""), modified: Timestamp(modified),
            sha256: Self.checksum(of: headers))
        // s3fs and Hadoop mark folders so.
        info.isFolder = headers["Content-Type"]?.hasPrefix("application/x-directory") == true
        guard Self.isCompressed(headers, key) else { return (info, false) }
        // The stored checksum is that of the compressed bytes.
        info.sha256 = nil
        info.size = Self.recordedLength(headers) ?? -1
        return (info, true)
    }

    /// Finds the reason for a rejected HEAD, whose reply has no body, by requesting one byte. Returns if the object does
    /// not exist.
    private func explain(_ failure: AWSFailure, _ key: ObjectKey) throws(ClairoError) {
        var request = S3Request("GET", path(key))
        request.headers = [.init("Range", "bytes=0-0")]
        do {
            _ = try transport.send(request)
        } catch {
            if error.isNotFound { return }
            throw error.error("Checking \(name(key))", transport)
        }
        throw failure.error("Checking \(name(key))", transport)
    }

    /// Returns the SHA-256 of the content. A checksum of part checksums ("…-3") is ignored.
    private static func checksum(of headers: HTTPHeaders) -> String? {
        headers["x-amz-checksum-sha256"].flatMap { $0.contains("-") ? nil : PartChecksum.hex(base64: $0) }
    }

    /// Returns an ETag without its quotes.
    static func bare(_ etag: String) -> String { etag.filter { $0 != "\"" } }

    public func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        var keys: [ObjectKey] = []
        try listed(prefix: prefix, after: key, limit: limit) { found, _ in keys.append(found) }
        // S3 sorts listings, but some servers do not.
        return Array(keys.sorted().prefix(limit))
    }

    public func entries(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectEntry] {
        var entries: [ObjectEntry] = []
        try listed(prefix: prefix, after: key, limit: limit) { entries.append(ObjectEntry(key: $0, size: $1)) }
        return Array(entries.sorted { $0.key < $1.key }.prefix(limit))
    }

    public func usage() throws(ClairoError) -> StoreUsage {
        var usage = StoreUsage()
        try listed(prefix: "", after: nil, limit: .max) { _, size in usage.add(bytes: size) }
        return usage
    }

    /// Calls `body` for each entry of a listing, up to `limit`. Reads it page by page.
    private func listed(
        prefix: String, after key: ObjectKey?, limit: Int, _ body: (ObjectKey, _ size: Int64) -> Void
    ) throws(ClairoError) {
        var count = 0
        var token: String?
        while count < limit {
            var request = S3Request("GET", nil)
            // S3's pages have up to 1000 entries. Smaller ones keep replies small: an encoded key may take 3 KiB.
            request.query = [
                .init("list-type", "2"), .init("prefix", self.prefix + prefix), .init("encoding-type", "url"),
                .init("max-keys", "\(min(500, limit - count))"),
            ]
            if let key { request.query.append(.init("start-after", path(key))) }
            if let token { request.query.append(.init("continuation-token", token)) }
            let doing = "Listing s3://\(transport.bucket)/\(self.prefix)\(prefix)"
            let page = try document(request, doing)
            let isEncoded = page["EncodingType"] == "url"
            for entry in page.all("Contents") {
                guard let name = entry["Key"].map({ isEncoded ? Self.decoded($0) : $0 }), name.hasPrefix(self.prefix)
                else { continue }
                let found = ObjectKey(String(name.dropFirst(self.prefix.count)))
                // Other tools create empty objects that represent folders. They are not objects of this store.
                if found.rawValue.isEmpty || found.rawValue.hasSuffix("/") { continue }
                if let key, found <= key { continue }
                body(found, entry["Size"].flatMap { Int64($0) } ?? 0)
                count += 1
            }
            guard page["IsTruncated"] == "true" else { break }
            guard let next = page["NextContinuationToken"], !next.isEmpty, next != token else { throw endless(doing) }
            token = next
        }
    }

    /// The error if a list is truncated and the server does not say where it continues. The rest must not be taken for
    /// absent.
    func endless(_ doing: String) -> ClairoError {
        .refused(
            "\(doing): \(transport.client.endpoint) says that the list is truncated, but not where it continues",
            exitCode: .configuration,
            advice: "Check that AWS_ENDPOINT_URL_S3 names an S3 server.")
    }

    /// Decodes a key in a listing with `encoding-type=url`, which is form encoding.
    static func decoded(_ text: String) -> String {
        text.replacingOccurrences(of: "+", with: " ").removingPercentEncoding ?? text
    }

    // MARK: Access

    public func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String? {
        guard (1...SigV4Signer.longestExpiry).contains(seconds) else {
            throw .usage("A presigned URL is valid for 1 second to 7 days, not \(seconds) s")
        }
        var request: AWSRequest
        switch access {
        case .get(let key): request = transport.address("GET", path(key))
        case .put(let key): request = transport.address("PUT", path(key))
        case .putPart(let number, let size, let upload):
            request = transport.address("PUT", path(upload.key), query: Self.part(number, of: upload))
            request.headers = [.init("Content-Length", "\(size)")]
        }
        do {
            return try transport.client.presign(request, expiresIn: seconds)
        } catch {
            throw error.error("Signing a URL for \(transport.bucket)", transport)
        }
    }

    public var limitations: [String] {
        S3Refusals.Feature.allCases.filter(transport.refused.contains).map(\.meaning)
    }

    /// Starts and aborts an upload. This tests the bucket, the credentials, the write permission and the clock, and
    /// leaves nothing behind. Written objects would accumulate as versions in a versioned bucket, because `/readyz` is
    /// polled.
    public func check() throws(ClairoError) {
        do {
            try abort(try beginUpload(at: ".clairo-check", partSize: 8 << 20))
        } catch {
            throw error.whileDoing("Checking s3://\(transport.bucket)/\(prefix)")
        }
    }
}

extension PartChecksum {
    /// Converts a checksum to the format of S3's headers.
    static func base64(hex: String) -> String { (Data(hexadecimal: hex) ?? Data()).base64EncodedString() }

    static func hex(base64: String) -> String? { Data(base64Encoded: base64).map(\.hexadecimal) }
}
