internal import AWSClient
internal import AWSSigning

/// One attempt of an S3 request.
public struct S3Event: Sendable {
    /// Operations, under the names of the S3 API.
    public enum Operation: String, Sendable, CaseIterable {
        /// Requests about one object or a bucket.
        case getObject, headObject, putObject, deleteObject, deleteObjects, listObjects, headBucket
        /// Multipart uploads.
        case createMultipartUpload, uploadPart, completeMultipartUpload, abortMultipartUpload
        /// Lists of parts and of multipart uploads; any other request.
        case listParts, listMultipartUploads, other
    }

    /// How an attempt ended.
    public enum Outcome: String, Sendable, CaseIterable {
        /// The outcomes. They are a metric label, so the set is closed.
        case success, notFound, denied, conflict, throttled, serverError, clientError, network, badReply, credentials
    }

    /// The operation.
    public var operation: Operation
    /// How the attempt ended.
    public var outcome: Outcome
    /// The duration of the attempt in seconds.
    public var seconds: Double
    /// Whether the request will be retried.
    public var isRepeated: Bool
}

extension S3Event.Operation {
    init(_ request: S3Request) {
        let names = Set(request.query.map(\.name))
        switch (request.method, request.path != nil) {
        case ("GET", true): self = names.contains("uploadId") ? .listParts : .getObject
        case ("GET", false): self = names.contains("uploads") ? .listMultipartUploads : .listObjects
        case ("HEAD", true): self = .headObject
        case ("HEAD", false): self = .headBucket
        case ("PUT", true) where names.contains("partNumber"): self = .uploadPart
        case ("PUT", true): self = .putObject
        case ("POST", true): self = names.contains("uploads") ? .createMultipartUpload : .completeMultipartUpload
        case ("POST", false) where names.contains("delete"): self = .deleteObjects
        case ("DELETE", true): self = names.contains("uploadId") ? .abortMultipartUpload : .deleteObject
        default: self = .other
        }
    }
}

extension S3Event.Outcome {
    init(_ failure: AWSFailure) {
        switch failure.cause {
        case .network, .cancelled: self = .network
        case .credentials: self = .credentials
        case .badReply: self = .badReply
        case .service(let service):
            switch service.status {
            case 404: self = .notFound
            case 401, 403: self = .denied
            case 409, 412: self = .conflict
            case 429, 503: self = .throttled
            case 500...: self = .serverError
            // An error in a reply with status 200.
            case 200...299: self = service.code == "SlowDown" ? .throttled : .serverError
            default: self = .clientError
            }
        }
    }
}
