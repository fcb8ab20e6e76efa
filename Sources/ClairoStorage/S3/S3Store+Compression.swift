internal import AWSSigning
internal import ClairoCore
internal import Curl
internal import Foundation
internal import Zlib

/// Objects that are stored with `Content-Encoding: gzip`.
///
/// Callers do not notice: they get the bytes and the size of the text. The size is kept as metadata of the object, so
/// that HEAD returns it. What is read is decompressed whatever the settings are now.
extension S3Store {
    /// The minimum size of a text that is compressed. Smaller ones fit into one packet anyway.
    private static let smallestText = 1000
    /// The maximum size of a text that is read. Larger objects are sent in parts and not compressed.
    private static let largestText = 64 << 20
    private static let lengthHeader = "x-amz-meta-clairo-length"

    /// The form in which a text is stored, and its headers; nil to store it as it is.
    func compressed(_ data: Data, at key: ObjectKey) -> (body: Data, headers: [AWSRequest.Header])? {
        guard transport.options.delivery?.playlistCompression == .gzip, ContentType(of: key).isText,
            data.count >= Self.smallestText
        else { return nil }
        let body = Gzip.compress(data)
        guard body.count < data.count else { return nil }
        return (body, [.init("Content-Encoding", "gzip"), .init(Self.lengthHeader, "\(data.count)")])
    }

    /// The object's own bytes. Recognizes compressed ones by their content, because some servers lose the header.
    func decompressed(_ body: Data, of key: ObjectKey) throws(ClairoError) -> Data {
        guard ContentType(of: key).isText, Gzip.isGzip(body) else { return body }
        guard body.count <= Self.largestText else {
            throw .inputOutput("Reading \(name(key)): a compressed text of \(body.count) bytes is too large")
        }
        do {
            return try Gzip.decompress(body, limit: Self.largestText)
        } catch {
            throw .inputOutput("Reading \(name(key)): the compressed bytes are \(error)")
        }
    }

    /// Whether a reply is about compressed bytes.
    static func isCompressed(_ headers: HTTPHeaders, _ key: ObjectKey) -> Bool {
        ContentType(of: key).isText && headers["Content-Encoding"]?.lowercased().contains("gzip") == true
    }

    /// The size of the decompressed object; nil if it is not recorded.
    static func recordedLength(_ headers: HTTPHeaders) -> Int64? {
        headers[lengthHeader].flatMap { Int64($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }
}

/// An object that has been read whole.
struct TextSource: ByteSource {
    let text: Data
    let etag: String?

    var size: Int64 { Int64(text.count) }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        guard offset >= 0, offset < size else { return 0 }
        return text.dropFirst(Int(offset)).copyBytes(to: buffer)
    }
}
