internal import AWSClient
internal import AWSSigning
internal import ClairoCore
internal import Curl

extension AWSService {
    /// S3, or a server with its API.
    static let s3 = AWSService(
        name: "S3", signingName: "s3", endpointExample: "https://s3.example.com or http://127.0.0.1:9000"
    ) { reply, method in
        let document = S3Document.parse(reply.body)
        let error = document?.name == "Error" ? document : document?.all("Error").first
        return AWSRefusal(
            reply, code: error?["Code"] ?? code(of: reply.status, to: method), message: error?["Message"] ?? "",
            requestID: reply.headers["x-amz-request-id"],
            region: reply.headers["x-amz-bucket-region"] ?? error?["Region"])
    }

    /// The error code for a reply without a body, such as a reply to HEAD.
    private static func code(of status: Int, to method: String) -> String {
        switch status {
        case 301, 307, 308: "PermanentRedirect"
        // S3 explains a rejected write in the body, so this server is not S3.
        case 404 where method != "PUT" && method != "POST": "NotFound"
        case 403: "AccessDenied"
        case 412: "PreconditionFailed"
        case 503: "ServiceUnavailable"
        default: "HTTP \(status)"
        }
    }
}

extension AWSEndpoint {
    /// Creates the address of a bucket.
    /// - Parameter url: The URL of a server other than AWS's endpoint of the region. Requests to it use path style
    ///   unless the settings say otherwise, because most self-hosted servers support nothing else.
    init(
        bucket: String, region: String, url: String?, style: AWSSettings.AddressingStyle?
    ) throws(ClairoError) {
        guard let url else {
            let host = "s3.\(region).\(Self.domain(of: region))"
            // AWS's wildcard certificate does not match bucket names with dots.
            let isVirtual = style != .path && !bucket.contains(".") && bucket == bucket.lowercased()
            self.init(host: isVirtual ? "\(bucket).\(host)" : host, basePath: isVirtual ? "" : "/\(bucket)")
            return
        }
        try self.init(url: url, of: .s3)
        if style == .virtual { host = "\(bucket).\(host)" } else { basePath += "/\(bucket)" }
    }
}

extension AWSFailure {
    var isNotFound: Bool { ["NoSuchKey", "NotFound"].contains(code) }

    /// Returns the error with a message, advice and exit code.
    /// - Parameter doing: What was being done, such as `Reading s3://bucket/key`.
    func error(_ doing: String, _ transport: S3Transport) -> ClairoError {
        error(doing, transport.client) { refusal, message in
            switch refusal.code {
            case "NoSuchBucket":
                return .refused(
                    "\(doing): the bucket \(transport.bucket) does not exist at \(transport.client.endpoint)",
                    exitCode: .configuration,
                    advice: "Create the bucket, or check its name and AWS_ENDPOINT_URL_S3.")
            case "NoSuchKey", "NotFound":
                return .noInput("\(doing): the object does not exist", advice: "Check the name.")
            case "NoSuchUpload": return .noInput("\(doing): the upload is completed, aborted or unknown")
            case "InvalidBucketName", "IllegalLocationConstraintException", "PermanentRedirect", "TemporaryRedirect",
                "AuthorizationHeaderMalformed", "InvalidRegion":
                return .refused(
                    message, exitCode: .configuration,
                    advice: refusal.region.map { "The bucket is in \($0): set AWS_REGION=\($0)." }
                        ?? "Check AWS_REGION (now \(transport.client.region)) and the bucket's name.")
            case "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage":
                return .noSpace(message)
            case "AccessDenied", "AllAccessDisabled":
                return .refused(
                    message, advice: "The credentials must allow this on \(transport.bucket): check its policy.")
            default: return nil
            }
        }
    }
}
