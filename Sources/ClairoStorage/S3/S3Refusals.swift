internal import AWSClient
internal import AWSSigning

/// What a server refuses, of the parts of the S3 API that Clairo can do without.
///
/// AWS has them all. Other servers answer 400 or 501 to headers that they do not know. The store then repeats the
/// request without the header, once. If that makes a difference, later requests do not have the header either.
struct S3Refusals: Sendable {
    /// A part of the API that Clairo can do without.
    enum Feature: CaseIterable, Sendable {
        /// The server verifies and keeps the SHA-256 of what is written.
        case checksums
        /// The server returns the SHA-256 of what is read.
        case checksumMode
        /// The server compares the size of an object with the sum of its parts.
        case objectSize
        /// One request deletes many objects.
        case deleteObjects

        /// The request headers that the feature consists of, in lower case.
        var headers: Set<String> {
            switch self {
            case .checksums: ["x-amz-checksum-sha256", "x-amz-checksum-algorithm"]
            case .checksumMode: ["x-amz-checksum-mode"]
            case .objectSize: ["x-amz-mp-object-size"]
            case .deleteObjects: []
            }
        }

        /// The feature and what is missing without it: a clause for `doctor`.
        var meaning: String {
            switch self {
            case .checksums: "x-amz-checksum-sha256 (it stores objects without a checksum)"
            case .checksumMode: "x-amz-checksum-mode (what is read is not compared with a stored checksum)"
            case .objectSize: "x-amz-mp-object-size (it does not check the size of an object made of parts)"
            case .deleteObjects: "DeleteObjects (objects are deleted one by one)"
            }
        }
    }

    /// What the server has refused.
    private(set) var refused: Set<Feature> = []
    /// What the settings switch off.
    private let unwanted: Set<Feature>

    /// - Parameter client: Provides the settings of AWS's tools for optional checksums.
    init(_ client: AWSClient) {
        var unwanted: Set<Feature> = []
        if client.requestChecksums == .whenRequired { unwanted.insert(.checksums) }
        if client.responseChecksums == .whenRequired { unwanted.insert(.checksumMode) }
        self.unwanted = unwanted
    }

    func allows(_ feature: Feature) -> Bool { !refused.contains(feature) && !unwanted.contains(feature) }

    mutating func add(_ features: Set<Feature>) { refused.formUnion(features) }

    /// The headers without those that the server refuses or the settings switch off.
    func allowed(_ headers: [AWSRequest.Header]) -> [AWSRequest.Header] {
        headers.filter { header in Self.feature(of: header).map(allows) ?? true }
    }

    /// Removes the optional headers from a request that failed, if the failure may be about them.
    /// - Returns: The features that the request had.
    static func removeFeatures(from headers: inout [AWSRequest.Header], after failure: AWSFailure) -> Set<Feature> {
        let found = Set(headers.compactMap(feature(of:)))
        guard mayBeAboutHeaders(failure) else { return [] }
        // S3 refuses a wrong size with this code.
        if found.contains(.objectSize), failure.code == "InvalidRequest" { return [] }
        headers.removeAll { feature(of: $0) != nil }
        return found
    }

    private static func feature(of header: AWSRequest.Header) -> Feature? {
        Feature.allCases.first { $0.headers.contains(header.name.lowercased()) }
    }

    /// Whether a refusal may be about a header. A reply to HEAD has no error code, only a status.
    private static func mayBeAboutHeaders(_ failure: AWSFailure) -> Bool {
        ["NotImplemented", "InvalidArgument", "InvalidRequest", "HTTP 400", "HTTP 501"].contains(failure.code)
    }

    /// Whether the failure of a request without the optional headers shows that they were the cause of the failure
    /// before: the server has understood the request and refuses it for another reason, such as a missing object.
    static func provesRefusal(_ failure: AWSFailure) -> Bool {
        (400..<500).contains(failure.status ?? 0) && !mayBeAboutHeaders(failure) && !failure.isThrottle
    }

    /// Whether a server does not have an operation at all.
    static func isUnknownOperation(_ failure: AWSFailure) -> Bool {
        [405, 501].contains(failure.status) || ["NotImplemented", "MethodNotAllowed"].contains(failure.code)
    }
}
