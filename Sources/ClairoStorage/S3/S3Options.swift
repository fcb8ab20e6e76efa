internal import Curl
internal import Foundation

/// How an S3 store behaves; the defaults are right for all but tests.
public struct S3Options: Sendable {
    /// How often a request is sent at most; nil for `AWS_MAX_ATTEMPTS`, the profile's `max_attempts`, or 5.
    public var maxAttempts: Int?
    /// Seconds before a request is sent a second time are random up to this; it doubles each time, up to 20.
    public var firstDelay = 0.5
    /// Sleeps on the calling thread; nil for the real clock, which cancellation ends early.
    public var sleep: (@Sendable (_ seconds: Double) -> Void)?
    /// Seconds until a connection must stand.
    public var connectTimeout = 10.0
    /// Seconds of silence that end an attempt. CompleteMultipartUpload may take a few minutes, but not in silence on AWS.
    public var stallTimeout = 60.0
    /// Bytes of the first parts of an object that is written piece by piece. S3 wants 5 MiB or more.
    public var partSize = 8 << 20
    /// Parts of one object on their way at a time, as long as they hold no more than `partMemory` bytes.
    public var parallelParts = 4
    /// Bytes that all parts of one object on their way may hold.
    public var partMemory = 96 << 20
    /// Bytes of a block of an open object, the smallest piece that is asked for.
    public var blockSize = 256 << 10
    /// Blocks that one request asks for at most while an object is read in order.
    public var readAhead = 16
    /// Blocks of an open object that stay in memory.
    public var cachedBlocks = 64

    /// Is told of every attempt at a request.
    public var observe: (@Sendable (S3Event) -> Void)?

    public init() {}
}
