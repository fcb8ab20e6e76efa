internal import AWSClient
internal import AWSSigning
public import ClairoCore
internal import Curl
public import Foundation

/// Multipart uploads.
extension S3Store {
    static func part(_ number: Int, of upload: MultipartUpload) -> [AWSRequest.QueryItem] {
        [.init("partNumber", "\(number)"), .init("uploadId", upload.id)]
    }

    private func words(_ upload: MultipartUpload) -> String { "the upload of \(name(upload.key))" }

    public func beginUpload(
        at key: ObjectKey, sizes: PartSizes, sender: PartSender
    ) throws(ClairoError) -> MultipartUpload {
        var request = S3Request("POST", path(key))
        request.query = [.init("uploads")]
        request.headers = typeHeaders(of: key)
        // S3 then demands this checksum with each part. A presigned URL cannot have it, because it is made before the
        // bytes are known.
        if sender == .thisProcess { request.headers.append(.init("x-amz-checksum-algorithm", "SHA256")) }
        let reply = try document(request, "Starting to write \(name(key))")
        guard let id = reply["UploadId"], !id.isEmpty else {
            throw .refused(
                "Starting to write \(name(key)): \(transport.client.endpoint) returned no upload id",
                exitCode: .configuration,
                advice: "Check that AWS_ENDPOINT_URL_S3 names an S3 server with multipart uploads.")
        }
        return MultipartUpload(key: key, id: id, sizes: sizes)
    }

    public func openUploads(prefix: String) throws(ClairoError) -> [MultipartUpload] {
        var uploads: [MultipartUpload] = []
        var marker: (key: String, id: String)?
        while true {
            var request = S3Request("GET", nil)
            request.query = [
                .init("uploads"), .init("prefix", self.prefix + prefix), .init("encoding-type", "url"),
                .init("max-uploads", "500"),
            ]
            if let marker { request.query += [.init("key-marker", marker.key), .init("upload-id-marker", marker.id)] }
            let doing = "Listing the uploads to s3://\(transport.bucket)/\(self.prefix)\(prefix)"
            let page: S3Document
            do {
                page = try document(try transport.send(request), doing)
            } catch let failure as AWSFailure {
                // rclone's S3 server replies with this code for a bucket without uploads.
                if failure.code == "NoSuchUpload" { return [] }
                throw failure.error(doing, transport)
            } catch let error as ClairoError {
                throw error
            } catch {
                throw .defect("\(doing): \(error)")
            }
            let isEncoded = page["EncodingType"] == "url"
            for entry in page.all("Upload") {
                guard let name = entry["Key"].map({ isEncoded ? Self.decoded($0) : $0 }), let id = entry["UploadId"],
                    name.hasPrefix(self.prefix + prefix)
                else { continue }
                uploads.append(
                    MultipartUpload(key: ObjectKey(String(name.dropFirst(self.prefix.count))), id: id, partSize: 0))
            }
            guard page["IsTruncated"] == "true" else { return uploads }
            guard let key = page["NextKeyMarker"].map({ isEncoded ? Self.decoded($0) : $0 }),
                let id = page["NextUploadIdMarker"], (key, id) != marker ?? ("", "")
            else { throw endless(doing) }
            marker = (key, id)
        }
    }

    public func putPart(_ data: Data, number: Int, of upload: MultipartUpload) throws(ClairoError) -> UploadedPart {
        try putPart(data, number: number, of: upload, cancellation: nil)
    }

    func putPart(
        _ data: Data, number: Int, of upload: MultipartUpload, cancellation: Cancellation?
    ) throws(ClairoError) -> UploadedPart {
        let sha256 = Checksum.sha256(data)
        var request = S3Request("PUT", path(upload.key))
        request.query = Self.part(number, of: upload)
        request.headers = [Self.checksumHeader(sha256)]
        request.body = data
        request.sha256 = sha256
        request.cancellation = cancellation
        let reply = try send(request, "Sending part \(number) of \(name(upload.key))")
        let etag = Self.bare(reply.headers["ETag"] ?? "")
        guard !etag.isEmpty else {
            throw .temporary("Sending part \(number) of \(name(upload.key)): the server returned no ETag")
        }
        return UploadedPart(
            number: number, size: data.count, etag: etag,
            checksum: Self.checksum(sha256: reply.headers["x-amz-checksum-sha256"], etag: etag))
    }

    public func parts(of upload: MultipartUpload) throws(ClairoError) -> [UploadedPart] {
        var parts: [UploadedPart] = []
        var marker: String?
        while true {
            var request = S3Request("GET", path(upload.key))
            request.query = [.init("uploadId", upload.id), .init("max-parts", "1000")]
            if let marker { request.query.append(.init("part-number-marker", marker)) }
            let page = try document(request, "Listing the parts of \(words(upload))")
            for entry in page.all("Part") {
                guard let number = entry["PartNumber"].flatMap({ Int($0) }),
                    let size = entry["Size"].flatMap({ Int($0) }),
                    let etag = entry["ETag"].map(Self.bare)
                else { continue }
                parts.append(
                    UploadedPart(
                        number: number, size: size, etag: etag,
                        checksum: Self.checksum(sha256: entry["ChecksumSHA256"], etag: etag)))
            }
            guard page["IsTruncated"] == "true" else { break }
            guard let next = page["NextPartNumberMarker"], !next.isEmpty, next != marker else {
                throw endless("Listing the parts of \(words(upload))")
            }
            marker = next
        }
        return parts.sorted { $0.number < $1.number }
    }

    /// Returns the checksum of a part: the server's SHA-256, which is in Base64, or the ETag if it is an MD5.
    static func checksum(sha256: String?, etag: String) -> PartChecksum? {
        if let hex = sha256.flatMap(PartChecksum.hex(base64:)), hex.count == 64 { return .sha256(hex) }
        return isMD5(etag) ? .md5(etag.lowercased()) : nil
    }

    private static func isMD5(_ etag: String) -> Bool { etag.utf8.count == 32 && etag.allSatisfy(\.isHexDigit) }

    public func complete(_ upload: MultipartUpload, parts: [UploadedPart]) throws(ClairoError) -> ObjectInfo {
        guard !parts.isEmpty, parts.enumerated().allSatisfy({ $1.number == $0 + 1 }) else {
            throw .defect("The parts of \(words(upload)) are not numbered 1, 2, 3… without gaps")
        }
        let size = parts.reduce(Int64(0)) { $0 + Int64($1.size) }
        var request = S3Request("POST", path(upload.key))
        request.query = [.init("uploadId", upload.id)]
        request.headers = [.init("Content-Type", "application/xml"), .init("x-amz-mp-object-size", "\(size)")]
        request.body = Self.list(parts)
        request.mayFailLate = true
        request.isConditional = true
        let reply: HTTPReply
        do {
            reply = try transport.send(request)
        } catch {
            // If an earlier attempt succeeded and its reply was lost, the upload no longer exists, but the object does.
            if error.mayHaveHappened, case .service = error.cause,
                let found = try completed(upload, parts, size)
            {
                return found
            }
            if ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"].contains(error.code) {
                throw .defect("Completing \(words(upload)): \(error.error("the parts", transport).message)")
            }
            throw error.error("Completing \(words(upload))", transport)
        }
        // The ETag proves the content. Asking for the object instead may be expensive for the server.
        if let etag = S3Document.parse(reply.body)?["ETag"].map(Self.bare)?.lowercased(),
            etag == Self.etag(ofParts: parts)
        {
            return ObjectInfo(key: upload.key, size: size, etag: etag, modified: .now)
        }
        guard let info = try info(of: upload.key), info.size == size else {
            throw .inputOutput("Completing \(words(upload)): the object does not have the \(size) bytes of its parts")
        }
        return info
    }

    private static func list(_ parts: [UploadedPart]) -> Data {
        var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for part in parts {
            text += "<Part><PartNumber>\(part.number)</PartNumber><ETag>\"\(S3Document.escape(part.etag))\"</ETag>"
            if case .sha256(let hex) = part.checksum {
                text += "<ChecksumSHA256>\(PartChecksum.base64(hex: hex))</ChecksumSHA256>"
            }
            text += "</Part>"
        }
        return Data((text + "</CompleteMultipartUpload>").utf8)
    }

    /// The ETag of an object assembled from these parts, as S3 computes it: the MD5 of their MD5s, a hyphen, and their
    /// number. Nil if the parts' ETags are not MD5s.
    private static func etag(ofParts parts: [UploadedPart]) -> String? {
        guard parts.allSatisfy({ isMD5($0.etag) }) else { return nil }
        let sums = parts.reduce(into: Data()) { $0.append(Data(hexadecimal: $1.etag) ?? Data()) }
        return "\(Checksum.md5(sums))-\(parts.count)"
    }

    /// The object, if it was assembled from these parts. Compares S3's ETag, or the content if the server computes
    /// ETags differently.
    private func completed(
        _ upload: MultipartUpload, _ parts: [UploadedPart], _ size: Int64
    ) throws(ClairoError) -> ObjectInfo? {
        guard let info = try info(of: upload.key), info.size == size else { return nil }
        if info.etag.contains("-") {
            return info.etag.lowercased() == Self.etag(ofParts: parts) ? info : nil
        }
        let source = try open(upload.key)
        var offset: Int64 = 0
        for part in parts {
            guard part.checksum?.matches(try source.part(at: offset, count: part.size)) == true else { return nil }
            offset += Int64(part.size)
        }
        return info
    }

    public func abort(_ upload: MultipartUpload) throws(ClairoError) {
        var request = S3Request("DELETE", path(upload.key))
        request.query = [.init("uploadId", upload.id)]
        // Sent even after cancellation, because an open upload costs money.
        request.isCleanUp = transport.cancellation?.isCancelled ?? false
        do {
            _ = try transport.send(request)
        } catch {
            if error.status == 404, error.code != "NoSuchBucket" { return }
            throw error.error("Aborting \(words(upload))", transport)
        }
    }
}
