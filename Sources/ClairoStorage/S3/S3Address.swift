internal import ClairoCore
internal import Foundation

/// `s3://bucket/prefix` in a setting or an argument. Percent-encoding is decoded, so that printed URLs can be used as
/// input.
struct S3Address: Hashable {
    let bucket: String
    /// The prefix of all keys. Empty, or with a trailing slash.
    let prefix: String

    init(_ url: String) throws(ClairoError) {
        guard url.lowercased().hasPrefix("s3://") else {
            throw .configuration(
                "\(MaskedURL.text(url, hidesUser: true)) is not an S3 URL",
                advice: "Use s3://bucket or s3://bucket/prefix.")
        }
        let parts = url.dropFirst(5).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bucket = String(parts[0])
        // AWS is stricter, but older buckets and other servers use upper case and underscores.
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        let isName = bucket.utf8.allSatisfy { byte in
            Character(UnicodeScalar(byte)).isLetter && byte < 128 || (48...57).contains(byte)
                || "-._".utf8.contains(byte)
        }
        guard (1...255).contains(bucket.utf8.count), isName, bucket != ".", bucket != ".." else {
            throw .configuration(
                "\(MaskedURL.text(url, hidesUser: true)) does not name a bucket",
                advice: "Use s3://bucket or s3://bucket/prefix.")
        }
        self.bucket = bucket
        let path = parts.count > 1 ? String(parts[1]) : ""
        let trimmed = (path.removingPercentEncoding ?? path).drop { $0 == "/" }
        let end = trimmed.lastIndex { $0 != "/" }
        prefix = end.map { trimmed[...$0] + "/" } ?? ""
    }
}
