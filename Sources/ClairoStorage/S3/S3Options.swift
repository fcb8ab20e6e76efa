public import AWSSigning
internal import Curl
internal import Foundation

/// Tuning of an S3 store. Only tests need values other than the defaults.
public struct S3Options: Sendable {
    /// The maximum number of attempts; nil for `AWS_MAX_ATTEMPTS`, the profile's `max_attempts`, or 5.
    public var maxAttempts: Int?
    /// The maximum random delay before the first retry, in seconds. It doubles with each retry, up to 20 s.
    public var firstDelay = 0.5
    /// Sleeps on the calling thread. Nil to sleep by the real clock until cancelled.
    public var sleep: (@Sendable (_ seconds: Double) -> Void)?
    /// The connect timeout in seconds.
    public var connectTimeout = 10.0
    /// Seconds without traffic after which an attempt fails. CompleteMultipartUpload may take minutes, but AWS sends
    /// white space meanwhile.
    public var stallTimeout = 60.0
    /// The initial part size of an object written piece by piece, in bytes. S3 requires at least 5 MiB.
    public var partSize = 8 << 20
    /// The maximum number of parts of one object sent at once. `partMemory` may lower it.
    public var parallelParts = 4
    /// The maximum number of bytes that the unsent parts of one object may use.
    public var partMemory = 96 << 20
    /// The block size of an open object in bytes: the smallest range requested.
    public var blockSize = 256 << 10
    /// The maximum number of blocks per request during sequential reading.
    public var readAhead = 16
    /// The number of cached blocks of an open object.
    public var cachedBlocks = 64

    /// How objects of an output are delivered; nil for a store of other objects.
    public var delivery: ObjectDelivery?

    /// Returns the credentials, before the last ones expire; nil for the usual sources (`AWSSystem.credentials`).
    public var credentials: (@Sendable () -> AWSCredentials?)?

    /// Called for each attempt of a request.
    public var observe: (@Sendable (S3Event) -> Void)?

    public init() {}
}
