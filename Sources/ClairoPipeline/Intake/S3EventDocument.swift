internal import Foundation

/// The fields of an event, or of an envelope around one, that Clairo reads.
struct S3EventDocument: Decodable {
    // Fields of Clairo's own message.
    var schema: Int?
    var videoID: String?
    /// The event name of S3's test notification.
    var testEvent: String?
    /// The inner document in an SNS notification, as SNS delivers it to SQS.
    var snsMessage: String?
    var records: [Attempt]?
    /// An event of Amazon EventBridge.
    var bridge: Bridge?

    /// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    struct Bridge: Decodable {
        struct Detail: Decodable {
            struct Bucket: Decodable {
                var name: String
            }
            struct Object: Decodable {
                /// Not encoded, unlike in S3's own notifications.
                var key: String
                var etag: String?
                var sequencer: String?
            }
            var bucket: Bucket
            var object: Object
        }

        /// For example `Object Created`.
        var type: String
        /// The detail, or the error if it is malformed. Other types have other details.
        var detail: Result<Detail, any Error>

        enum CodingKeys: String, CodingKey {
            case type = "detail-type"
            case detail
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            type = try container.decode(String.self, forKey: .type)
            detail = Result { try container.decode(Detail.self, forKey: .detail) }
        }
    }

    /// A record, or the error if it is malformed, so that one malformed record does not affect the others.
    struct Attempt: Decodable {
        let result: Result<Record, any Error>

        init(from decoder: any Decoder) { result = Result { try Record(from: decoder) } }
    }

    struct Record: Decodable {
        struct S3: Decodable {
            struct Bucket: Decodable {
                var name: String
            }
            struct Object: Decodable {
                var key: String
                var eTag: String?
                var sequencer: String?
            }
            var bucket: Bucket
            var object: Object
        }

        struct SNS: Decodable {
            var message: String

            enum CodingKeys: String, CodingKey { case message = "Message" }
        }

        var eventVersion: String?
        var eventName: String?
        var s3: S3?
        /// The inner document in an SQS record.
        var body: String?
        var sns: SNS?

        enum CodingKeys: String, CodingKey {
            case eventVersion, eventName, s3, body
            case sns = "Sns"
        }

        /// The inner document of an SQS or SNS record.
        var wrapped: String? { body ?? sns?.message }
    }

    enum CodingKeys: String, CodingKey {
        case schema, videoID
        case testEvent = "Event"
        case type = "Type"
        case message = "Message"
        case records = "Records"
        case source
    }

    /// Fails only if the document is not a JSON object. A field of an unexpected type becomes nil, because the document
    /// is untrusted.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        schema = try? container.decode(Int.self, forKey: .schema)
        videoID = try? container.decode(String.self, forKey: .videoID)
        testEvent = try? container.decode(String.self, forKey: .testEvent)
        records = try? container.decode([Attempt].self, forKey: .records)
        // EventBridge also delivers events of other services.
        if (try? container.decode(String.self, forKey: .source)) == "aws.s3" { bridge = try? Bridge(from: decoder) }
        let type = try? container.decode(String.self, forKey: .type)
        snsMessage = type == "Notification" ? try? container.decode(String.self, forKey: .message) : nil
    }

    /// Whether this is Clairo's own message.
    var isOwn: Bool { videoID != nil && schema != nil }

    /// Describes a decoding error as a phrase, without text from the document.
    static func reason(_ error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String { path.map(\.stringValue).joined(separator: ".") }
        return switch error as? DecodingError {
        case .keyNotFound(let key, let context): "it has no \(place(context.codingPath + [key]))"
        case .valueNotFound(_, let context), .typeMismatch(_, let context): "its \(place(context.codingPath)) is wrong"
        case .dataCorrupted(let context) where !context.codingPath.isEmpty: "its \(place(context.codingPath)) is wrong"
        default: "it cannot be decoded"
        }
    }
}
