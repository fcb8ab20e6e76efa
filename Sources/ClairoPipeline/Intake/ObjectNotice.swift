public import ClairoCore

/// A notification that an object was created. It only names the object. The store is the source of truth about it.
public struct ObjectNotice: Sendable, Hashable {
    /// The maximum length of a key in UTF-8 bytes. S3's limit:
    /// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    public static let longestKey = 1024

    /// Name of the bucket.
    public let bucket: String
    /// The decoded key.
    public let key: String
    /// The object's ETag without quotes, if the event has one.
    public let eTag: String?
    /// S3's sequencer, which orders events about the same key.
    public let sequencer: String?

    /// Whether another tool created the object to show a folder. S3's console does, for example.
    var isFolder: Bool { key.utf8.last == UInt8(ascii: "/") }

    /// - Throws: `badInput` (65) for an invalid bucket or key.
    public init(
        bucket: String, key: String, eTag: String? = nil, sequencer: String? = nil
    ) throws(ClairoError) {
        let isName = bucket.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "-._".utf8.contains(byte)
        }
        guard (1...255).contains(bucket.utf8.count), isName, bucket != ".", bucket != ".." else {
            throw .badMedia("The bucket name is not valid")
        }
        guard (1...Self.longestKey).contains(key.utf8.count), !key.utf8.contains(0) else {
            throw .badMedia(
                "The key in bucket \(bucket) is empty, longer than \(Self.longestKey) bytes or contains NUL")
        }
        self.bucket = bucket
        self.key = key
        self.eTag = eTag.map { $0.filter { $0 != "\"" } }
        self.sequencer = sequencer
    }

    /// Whether `other` is at least as late as this event. Sequencers of one key are compared as text, after padding the
    /// shorter one with zeros on the right. If one is missing, `other` counts as later. Source:
    /// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    func isBefore(_ other: ObjectNotice) -> Bool {
        guard let sequencer, let later = other.sequencer else { return true }
        let length = max(sequencer.utf8.count, later.utf8.count)
        let filled = { (text: String) in Array(text.utf8) + Array(repeating: 48, count: length - text.utf8.count) }
        return !filled(later).lexicographicallyPrecedes(filled(sequencer))
    }
}

/// The objects of one event document, each with its latest event.
public struct ObjectNotices: Sendable, Hashable {
    /// The objects, each once.
    public internal(set) var objects: [ObjectNotice] = []
    /// The number of records about something else, such as removals and test notifications.
    public internal(set) var ignored = 0
    /// The number of earlier or duplicate records about an object in `objects`.
    public internal(set) var superseded = 0
    /// The reasons why records could not be parsed.
    public internal(set) var unreadable: [String] = []

    private var places: [[UInt8]: Int] = [:]

    init() {}

    mutating func add(_ notice: ObjectNotice) {
        // Compares bytes: for S3, two encodings of "é" are two keys. A bucket name contains no slash.
        let name = Array("\(notice.bucket)/\(notice.key)".utf8)
        guard let place = places[name] else {
            places[name] = objects.count
            objects.append(notice)
            return
        }
        superseded += 1
        if objects[place].isBefore(notice) { objects[place] = notice }
    }
}
