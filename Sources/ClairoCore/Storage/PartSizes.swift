/// The sizes of the parts of a multipart upload.
///
/// S3 allows 10 000 parts of up to 5 GiB, and at least 5 MiB except for the last one
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html). Some stores, such as Cloudflare R2, also demand
/// that all parts except the last have the same size. So parts are equal if the length of the object is known, or at
/// least its maximum. Otherwise, equal parts for the longest object would need too much memory for all others: the first
/// 2000 parts are equal, and later ones grow, so that 10 000 parts hold 5 TiB.
public struct PartSizes: Sendable, Hashable {
    /// The maximum number of parts of an object.
    public static let mostParts = 10_000
    /// The minimum size of all parts except the last, in bytes.
    public static let smallest = 8 << 20
    /// The maximum size of a part in bytes.
    public static let largest = 5 << 30
    /// The maximum length of an object of unknown length, in bytes.
    public static let longestObject: Int64 = 5 << 40

    /// The number of equal parts before parts grow.
    private static let equalParts = 2000
    /// Parts grow by `growth` bytes after each run of `runLength` parts.
    private static let runLength = 100
    private static let growth = 16 << 20

    /// The size of the first part, and of all others if they are equal.
    public let first: Int
    /// Whether parts grow, because the length is unknown.
    public let grows: Bool

    /// Equal parts of `size` bytes.
    public init(equal size: Int) {
        first = size
        grows = false
    }

    /// Equal parts, in whole MiB, for an object of `length` bytes.
    /// - Parameter smallest: The minimum, for callers that hold several parts in memory. S3 requires 5 MiB.
    public init(forLength length: Int64, atLeast smallest: Int = smallest) {
        let needed = (max(length, 1) - 1) / Int64(Self.mostParts) + 1
        let mebibytes = (needed - 1) / (1 << 20) + 1
        self.init(equal: min(max(smallest, Int(clamping: mebibytes << 20)), Self.largest))
    }

    /// Parts for an object of unknown length.
    /// - Parameter first: The size of the first parts. From 8 MiB, the parts hold 5 TiB.
    public init(growingFrom first: Int) {
        self.first = first
        grows = true
    }

    /// The size of part `number`, counted from 1. The last part of an object may be shorter.
    public func size(ofPart number: Int) -> Int { first + steps(before: number) * Self.growth }

    /// The position of the first byte of part `number` in the object.
    public func offset(ofPart number: Int) -> Int64 {
        let runs = Int64(steps(before: number))
        guard runs > 0 else { return Int64(number - 1) * Int64(first) }
        // The parts of the complete runs, and those of the current run before this part.
        let inRun = Int64((number - 1 - Self.equalParts) % Self.runLength)
        let added = (runs - 1) * runs / 2 * Int64(Self.runLength) + inRun * runs
        return Int64(number - 1) * Int64(first) + added * Int64(Self.growth)
    }

    /// How often the size has grown before part `number`.
    private func steps(before number: Int) -> Int {
        grows && number > Self.equalParts ? (number - 1 - Self.equalParts) / Self.runLength + 1 : 0
    }
}
